"""A route that names a Lambda function: taken only where the stack may invoke it, and never the stack's own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.unit.cli.test_doctor import ROUTE, STACK, mends
from tests.unit.cli.test_routes_file import FUNCTIONS, GOOD, LOCAL, one, problem_of, read
from tollgate.gateway.declaring.changes import changes
from tollgate.gateway.declaring.facts import stand_in
from tollgate.payment.routes import FunctionTarget, Route, Snapshot, UpstreamTarget
from tollgate_cli import doctor_functions, doctor_routes
from tollgate_cli.doctor_report import Level, Report

FACTS = replace(
    LOCAL,
    function_prefix=FUNCTIONS,
    function_arns=(FUNCTIONS + "report", FUNCTIONS + "map:live", "arn:aws:lambda:eu-central-1:210987654321:function:x"),
    own_functions=frozenset({"shop-settle", "shop-proxy"}),
)


def sells(function: str, more: str = "") -> str:
    """A route in front of a function."""
    return GOOD.replace("  url: https://api.example.com/v1/{city}\n", f'  function: "{function}"\n{more}')


@pytest.mark.parametrize(
    ("function", "stored"),
    [
        ("report", FUNCTIONS + "report"),
        (FUNCTIONS + "report", FUNCTIONS + "report"),
        ("map:live", FUNCTIONS + "map:live"),
        (FACTS.function_arns[2], FACTS.function_arns[2]),
    ],
)
def test_a_function_that_the_stack_may_invoke_is_taken_and_stored_by_its_arn(
    tmp_path: Path, function: str, stored: str
) -> None:
    """So the table says which one, whoever reads it."""
    assert one(tmp_path, sells(function, "  timeoutSeconds: 2.5\n"), FACTS).upstream == FunctionTarget(stored, 2.5)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            "other",
            f"is not in the stack's UpstreamFunctionArns: deploy it with UpstreamFunctionArns={FUNCTIONS}report,",
        ),
        ("report:live", f"it has {FUNCTIONS}report, which IAM takes for another"),
        ("map", f"it has {FUNCTIONS}map:live, which IAM takes for another"),
        ("shop-settle", "is a function of this stack itself"),
        ("shop-proxy:live", "is a function of this stack itself"),
        (FUNCTIONS + "shop-settle", "is a function of this stack itself"),
        ("arn:aws:lambda:us-east-1:123456789012:function:report", "is in us-east-1, but this stack can only invoke"),
        ("https://api.example.com/", "must be the name of a Lambda function or its ARN"),
        ("report:*", "must be the name of a Lambda function or its ARN"),
    ],
)
def test_a_function_that_it_may_not_invoke_is_refused_with_what_to_do(
    tmp_path: Path, function: str, expected: str
) -> None:
    """Before anything is written, by line and field."""
    problem = problem_of(tmp_path, sells(function), FACTS)
    assert problem.startswith(":7: routes[0].upstream.function: ")
    assert expected in problem


def test_the_stacks_own_functions_are_refused_even_where_the_parameter_names_them(tmp_path: Path) -> None:
    """An operator's mistake must not put settle, or the proxy itself, behind a price."""
    facts = replace(FACTS, function_arns=(FUNCTIONS + "shop-settle", FUNCTIONS + "shop-proxy"))
    for name in ("shop-settle", "shop-proxy", FUNCTIONS + "shop-proxy"):
        assert "is a function of this stack itself" in problem_of(tmp_path, sells(name), facts)


def test_a_function_takes_no_url_and_no_secret(tmp_path: Path) -> None:
    """It is one or the other."""
    for more in ("  url: https://api.example.com/\n", "  secretHeader: {name: X-Key, secret: tollgate/upstream/x}\n"):
        assert "is not a known field; known: function, timeoutSeconds" in problem_of(
            tmp_path, sells("report", more), FACTS
        )


def test_without_a_stack_it_is_a_note(tmp_path: Path) -> None:
    """What only a stack can decide."""
    found = read(tmp_path, "version: 1\nroutes:\n  - " + sells("report").replace("\n", "\n    "), stand_in())
    (note,) = found.notes
    assert "only a stack whose UpstreamFunctionArns has this function" in note.sentence
    assert found.routes[0].upstream == FunctionTarget("report", 10.0)


def test_a_free_route_does_not_give_away_what_another_route_of_the_function_sells(tmp_path: Path) -> None:
    """The function is asked for the public path: one that spells a priced one alike is refused (threat 29)."""
    priced = sells("report")
    free = sells("report").replace('"$0.01"', "free")
    for path, refused in (("/{kind}/{city}", True), ("/Weather/oslo", True), ("/weather", False), ("/sky/oslo", False)):
        text = "version: 1\nroutes:\n"
        for route in (priced, free.replace("/weather/{city}", path)):
            text += "  - " + route.replace("\n", "\n    ")[:-4]
        if refused:
            assert any("could be asked for what GET /weather/{city} sells" in p for p in _problems(tmp_path, text))
        else:
            assert len(read(tmp_path, text, FACTS).routes) == 2


def _problems(tmp_path: Path, text: str) -> list[str]:
    from tests.unit.cli.test_routes_file import problems  # noqa: PLC0415

    return problems(tmp_path, text, FACTS)


def test_the_plan_shows_the_function() -> None:
    """From an API to a function is a change that people read."""
    (change,) = changes([ROUTE], [replace(ROUTE, upstream=FunctionTarget(FUNCTIONS + "report", 10.0))])
    assert change.fields == (("upstream", "https://8.8.8.8/{city}", f"function {FUNCTIONS}report"),)


class Lambdas:
    """A Lambda client that knows some functions, or fails."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        """As the real one answers."""
        self.asked.append(FunctionName)
        if "error" in self.answer:
            raise self.answer["error"]
        return {"State": "Active", "Timeout": 3, **self.answer}


def checked(function: str, **answer: Any) -> tuple[Report, Lambdas]:
    """What the doctor says about two routes of one function."""
    report, lambdas = Report(), Lambdas(**answer)
    stack = replace(STACK, facts=replace(FACTS, networks=STACK.facts.networks))
    target = FunctionTarget(function, 5.0)
    routes: tuple[Route, ...] = (replace(ROUTE, upstream=target), replace(ROUTE, pattern="/b", upstream=target))
    doctor_functions.check(stack, Snapshot(routes), lambdas, report)  # type: ignore[arg-type]
    doctor_routes.check(stack, Snapshot(routes), [], report)
    return report, lambdas


def _refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "GetFunctionConfiguration")


def test_a_function_that_is_there_is_well_and_asked_for_once() -> None:
    """By the name that the proxy would use."""
    report, lambdas = checked(FUNCTIONS + "report")
    assert [finding.level for finding in report.findings] == [Level.OK, Level.OK]
    assert lambdas.asked == [FUNCTIONS + "report"]


@pytest.mark.parametrize(
    ("function", "answer", "level", "expected"),
    [
        ("report", {"error": _refused("ResourceNotFoundException")}, Level.MEND, "does not exist"),
        ("report", {"error": _refused("AccessDeniedException")}, Level.NOTE, "cannot be looked at (AccessDenied"),
        ("report", {"error": EndpointConnectionError(endpoint_url="x")}, Level.NOTE, "cannot be looked at (Endpoint"),
        ("report", {"State": "Failed", "StateReason": "no image"}, Level.MEND, "cannot run: no image"),
        ("report", {"Timeout": 30}, Level.NOTE, "may run for 30 s, but its route waits for 5 s"),
        ("other", {}, Level.MEND, "is not in the stack's UpstreamFunctionArns"),
        ("shop-settle", {}, Level.MEND, "is a function of this stack itself"),
    ],
)
def test_the_doctor_names_a_function_that_cannot_be_sold(
    function: str, answer: dict[str, Any], level: Level, expected: str
) -> None:
    """Gone, failed, slower than its route, or dropped from the parameter by a later deploy."""
    report, _ = checked(FUNCTIONS + function, **answer)
    found = report.findings[0]
    assert (found.check, found.level) == ("functions", level)
    assert expected in found.sentence
    assert len(mends(report)) == (level is Level.MEND)


def test_a_route_without_functions_asks_lambda_nothing() -> None:
    """Most stacks."""
    report, lambdas = Report(), Lambdas()
    assert isinstance(ROUTE.upstream, UpstreamTarget)
    doctor_functions.check(STACK, Snapshot((ROUTE,)), lambdas, report)  # type: ignore[arg-type]
    assert (report.findings, lambdas.asked) == ([], [])
