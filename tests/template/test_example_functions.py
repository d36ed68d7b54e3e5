"""examples/functions: what its template deploys is what its routes file sells, and what the local stack has."""

from dataclasses import replace

from local.functions import FACTORS
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


def test_nobody_but_the_proxy_can_reach_it() -> None:
    """No event, no URL, no permission: an open way in would be a way around the price."""
    template = load(FOLDER / "template.yaml")
    assert {r["Type"] for r in template["Resources"].values()} == {"AWS::Serverless::Function", "AWS::Logs::LogGroup"}
    assert not {"Events", "FunctionUrlConfig"} & set(template["Resources"]["FactorsFunction"]["Properties"])
