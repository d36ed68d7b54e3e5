"""Registering a route as something to buy: checked for free, paid before it is done, owed back if it is not done."""

import importlib.util
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from eth_account.signers.local import LocalAccount

from local.chain import Chain
from tests.support.aws_calls import arn
from tests.support.functions import HOST, Functions
from tests.support.lambda_events import Reply
from tests.support.seats import Seat, change_id, declared, sign_in
from tollgate.gateway.declaring.facts import stand_in
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.routes import FunctionTarget
from tollgate_cli.routes_file import read_routes_file

EXAMPLE = Path(__file__).parents[3] / "examples" / "registration"
SOLD = arn("lambda", "function:tollgate-registration")
ROUTES = "/x402/admin/routes"
PRICE = 5_000_000


class Invokes:
    """Lambda's Invoke, to admin in this process."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
        """As the real one answers."""
        assert FunctionName == "the-admin-function"
        return {"Payload": io.BytesIO(json.dumps(self.functions.invoke("admin", json.loads(Payload))).encode())}


def example() -> ModuleType:
    """The example's handler."""
    spec = importlib.util.spec_from_file_location("registration_app", EXAMPLE / "registration" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shop(aws_endpoint: str, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """A stack that sells registering, at $5."""
    chain.mine_at_once()
    app = example()
    with Functions(aws_endpoint, chain, RegistrationPath="/register", UpstreamFunctionArns=SOLD) as functions:
        functions.sell("POST", "/register", FunctionTarget(SOLD, 10.0), price=PRICE, upfront=True)
        functions.invoke("reconcile", {})
        monkeypatch.setattr(app, "boto3", type("Boto", (), {"client": lambda *_, **__: Invokes(functions)}))

        def run(event: Any) -> Any:
            with monkeypatch.context() as patch:
                patch.setenv("ADMIN_FUNCTION", "the-admin-function")
                return app.handler(event, None)

        functions.sellers_functions[SOLD] = run
        yield functions


def signed(seat: Seat, route: dict[str, Any]) -> tuple[str, str]:
    """A declaration and its sign-in."""
    text = json.dumps(route)
    return text, sign_in(seat.account, change_id("POST", ROUTES, "", text.encode()))


def buy(shop: Functions, payer: LocalAccount, text: str, header: str) -> tuple[dict[str, Any], Reply]:
    """Pay for registering; the payment, and what came of it."""
    body = json.dumps({"signIn": header, "declaration": text}).encode()
    kind = {"content-type": "application/json"}
    asked = shop.request("POST", "/register", body=body, headers=kind)
    assert asked.status == 402
    payment = shop.sign(payer, shop.offer("POST", "/register"), identifier="pay_" + "ab" * 16)
    return payment, shop.request("POST", "/register", body=body, headers=kind, payment=payment)


def ids(shop: Functions) -> list[str]:
    """What owners registered."""
    table = RoutesTable(shop.client("dynamodb"), shop.resource("RoutesTable"), ())
    return [route.id for route in table.load().routes if route.revision]


def test_what_is_wrong_is_said_for_free_and_what_is_right_is_sold(shop: Functions, chain: Chain) -> None:
    """The very sign-in that was told the price is the one that is paid for; who pays may be another wallet."""
    seat = Seat.of_an_owner(shop)
    assert seat.ask("POST", ROUTES, declared(path="/elsewhere")).status == 422
    text, header = signed(seat, declared())
    told = seat.ask("POST", ROUTES, text.encode(), header=header)
    assert (told.status, told.json()["code"]) == (409, "registration_is_sold")
    assert told.json()["details"] == {"url": f"https://{HOST}/register"}
    assert ids(shop) == []
    payer = shop.buyer()
    payment, made = buy(shop, payer, text, header)
    assert (made.status, made.json()["id"]) == (201, "tea"), made.body
    assert ids(shop) == ["tea"]
    assert chain.balance(payer.address) == 100_000_000 - PRICE
    body = json.dumps({"signIn": header, "declaration": text}).encode()
    again = shop.request("POST", "/register", body=body, headers={"content-type": "application/json"}, payment=payment)
    assert (again.status, again.body) == (201, made.body)
    assert chain.balance(payer.address) == 100_000_000 - PRICE
    version = made.json()["version"]
    assert seat.ask("PUT", f"{ROUTES}/tea", declared(price="$0.02"), version=version).status == 200, "a change is free"


def test_a_registration_that_was_paid_for_and_refused_is_owed_back(shop: Functions) -> None:
    """Somebody else's wallet, or a route that was taken meanwhile: nothing is registered, and the books say so."""
    stranger = Seat(shop, shop.buyer())
    text, header = signed(stranger, declared())
    _, refused = buy(shop, shop.buyer(), text, header)
    assert refused.status == 502
    assert ids(shop) == []
    rows = shop.client("dynamodb").scan(TableName=shop.resource("PaymentsTable"))["Items"]
    assert [row["why"]["S"] for row in rows if row["pk"]["S"].startswith("RFD#")] == ["status_403"]


@pytest.mark.parametrize("event", [{"op": "unregister"}, {}, {"op": "register"}])
def test_admin_is_invoked_to_register_and_for_nothing_else(shop: Functions, event: dict[str, Any]) -> None:
    """Loud: whoever may invoke it is the operator's own function."""
    with pytest.raises((ValueError, KeyError)):
        shop.invoke("admin", event)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"signIn": 1, "declaration": "{}"}', "[" * 50_000, "{"])
def test_the_example_hands_on_nothing_that_is_not_a_registration(body: str) -> None:
    """400, before admin is asked."""
    assert example().handler({"body": body}, None)["statusCode"] == 400


def test_the_examples_file_is_one_and_fits_its_template() -> None:
    """The names that have to agree."""
    (route,) = read_routes_file(EXAMPLE / "routes.yaml", stand_in()).routes
    assert (route.method, route.pattern, route.flow) == ("POST", "/register", "upfront")
    template = (EXAMPLE / "template.yaml").read_text()
    assert isinstance(route.upstream, FunctionTarget)
    assert f"FunctionName: {route.upstream.function}\n" in template
    assert route.upstream.timeout_seconds <= int(yaml.safe_load(template.split("Timeout:")[1].split()[0]))
