"""The doctor on Lambda functions that routes sell or ask for prices: the stack may invoke them, and they are there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.gateway.declaring.upstream_functions import function_problem
from tollgate.payment.function_names import FunctionName
from tollgate.payment.routes import FunctionTarget, Route, Snapshot
from tollgate_cli.doctor_report import Report
from tollgate_cli.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_WHAT = "functions"


def check(stack: Stack, snapshot: Snapshot, functions: "LambdaClient", report: Report) -> None:
    """Every function that a route names, once. Nothing is invoked."""
    named: dict[str, float] = {}
    for route in snapshot.routes:
        for name, seconds in functions_of(route):
            named[name] = min(seconds, named.get(name, seconds))
    for name, seconds in sorted(named.items()):
        problem = function_problem(FunctionName.parse(name), stack.facts)
        if problem is not None:
            report.mend(_WHAT, f"{name} {problem}", "or mend routes.yaml and run tollgate routes apply")
        else:
            _look(name, seconds, functions, report)


def functions_of(route: Route) -> Iterator[tuple[str, float]]:
    """The functions of a route, and how many seconds each may take."""
    if isinstance(route.upstream, FunctionTarget):
        yield route.upstream.function, route.upstream.timeout_seconds
    if route.computed is not None:
        yield route.computed.function, route.computed.timeout_seconds


def _look(name: str, seconds: float, functions: "LambdaClient", report: Report) -> None:
    try:
        found = functions.get_function_configuration(FunctionName=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            report.mend(
                _WHAT,
                f"{name} does not exist: its buyers get 502, or 503 where it says the price",
                "deploy it, or mend the route",
            )
        else:
            report.note(_WHAT, f"{name} cannot be looked at ({code})")
        return
    except BotoCoreError as error:
        report.note(_WHAT, f"{name} cannot be looked at ({type(error).__name__})")
        return
    if found.get("State") == "Failed":
        why = found.get("StateReason", "no reason given")
        report.mend(_WHAT, f"{name} cannot run: {why}", "deploy it again; its buyers get 502 until then")
    elif found["Timeout"] > seconds + 1:
        sentence = (
            f"{name} may run for {found['Timeout']} s, but its route waits for {seconds:g} s and then charges nothing"
        )
        report.note(_WHAT, sentence, "give the function a timeout that is not above the route's timeoutSeconds")
    else:
        report.ok(_WHAT, f"{name} is there")
