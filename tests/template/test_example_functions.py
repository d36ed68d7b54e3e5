"""The examples with a Lambda function: what is deployed is what the routes file names, and the local stack has it."""

import re
from dataclasses import replace

import pytest

from local.functions import AGENT_PRICE, FACTORS
from tests.template.cfn import ROOT, load
from tests.unit.cli.test_routes_file import FUNCTIONS, STACK
from tollgate.payment.routes import FunctionTarget
from tollgate_cli.routes_file import read_routes_file

FOLDER = ROOT / "examples" / "functions"


def test_the_function_that_is_deployed_is_the_one_that_is_sold() -> None:
    """By name, with a timeout that is not above the route's."""
    properties = load(FOLDER / "template.yaml")["Resources"]["FactorsFunction"]["Properties"]
    assert (FOLDER / properties["CodeUri"] / "app.py").exists()
    assert (properties["FunctionName"], properties["Handler"]) == (FACTORS, "app.handler")
    facts = replace(STACK, function_prefix=FUNCTIONS, function_arns=(FUNCTIONS + FACTORS,))
    (route,) = read_routes_file(FOLDER / "routes.yaml", facts).routes
    assert route.upstream == FunctionTarget(FUNCTIONS + FACTORS, 5.0)
    assert properties["Timeout"] <= route.upstream.timeout_seconds


def test_the_price_function_that_is_deployed_is_the_one_that_is_asked() -> None:
    """The same of examples/agent; it answers what is taken for a price, between the bounds of the routes file."""
    folder = ROOT / "examples" / "agent"
    properties = load(folder / "template.yaml")["Resources"]["PriceFunction"]["Properties"]
    assert (folder / properties["CodeUri"] / "app.py").exists()
    assert (properties["FunctionName"], properties["Handler"]) == (AGENT_PRICE, "app.handler")
    facts = replace(STACK, function_prefix=FUNCTIONS, function_arns=(FUNCTIONS + AGENT_PRICE,))
    (route,) = read_routes_file(folder / "routes.yaml", facts).routes
    computed = route.computed
    assert computed is not None
    assert computed.function == FUNCTIONS + AGENT_PRICE
    assert properties["Timeout"] <= computed.timeout_seconds


@pytest.mark.parametrize("folder", [folder.parent.name for folder in (ROOT / "examples").glob("*/routes.yaml")])
def test_every_examples_routes_file_is_in_order(folder: str) -> None:
    """As ``routes check`` sees it."""
    file = ROOT / "examples" / folder / "routes.yaml"
    named = tuple(FUNCTIONS + name for name in re.findall(r"function: ([A-Za-z0-9-]+)", file.read_text()))
    assert read_routes_file(file, replace(STACK, function_prefix=FUNCTIONS, function_arns=named)).routes


@pytest.mark.parametrize(("folder", "function"), [("functions", "FactorsFunction"), ("agent", "PriceFunction")])
def test_nobody_but_the_stack_can_reach_it(folder: str, function: str) -> None:
    """No event, no URL, no permission: an open way in would be a way around the price."""
    template = load(ROOT / "examples" / folder / "template.yaml")
    assert {r["Type"] for r in template["Resources"].values()} == {"AWS::Serverless::Function", "AWS::Logs::LogGroup"}
    assert not {"Events", "FunctionUrlConfig"} & set(template["Resources"][function]["Properties"])
