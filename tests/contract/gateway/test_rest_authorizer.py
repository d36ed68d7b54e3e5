"""The authorizer of a REST API: examples/rest-authorizer, through API Gateway as documented, on real servers.

What it must do: the offer as a correct 402; settle, then let through once; 409 ever after; 503 and no offer for what
nobody knows; and after a crash between the settlement and the grant, one grant for the buyer and none for a stranger.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from local.chain import Chain
from local.rpc_gate import Act, RpcGate
from tests.support.buyer import decode, encode
from tests.support.functions import Functions
from tests.support.rest_api import RestApi, RestReply
from tests.template.cfn import ROOT, load
from tollgate.gateway import grant_run
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.upfront import SERVE_WINDOW_SECONDS
from tollgate.payment.identity import PaymentId
from tollgate.payment.price_choice import PriceChoice, Tier, Where
from tollgate.payment.record import Payment
from tollgate.payment.routes import ApiTarget
from tollgate.payment.states import State
from tollgate.wire.parse import parse_payment

TEMPLATE = load(ROOT / "examples" / "rest-authorizer" / "template.yaml")
BASE = "https://abcdef1234.execute-api.us-east-1.amazonaws.com/prod"
PARIS = "/weather/paris"
STRANGER = "198.51.100.9"


class Killed(BaseException):
    """The process is gone."""


class Api:
    """The example's API in front of a stack, with whatever a test does to the authorizer's call."""

    def __init__(self, functions: Functions, gate: RpcGate) -> None:
        self.functions = functions
        self.gate = gate
        self.seconds: float | None = None
        functions.sell("GET", "/weather/{city}", ApiTarget(BASE), upfront=True)
        tiers = PriceChoice(Where.QUERY, "size", (Tier("s", self._terms(5)), Tier("l", self._terms(50))), "s")
        functions.sell("GET", "/images/{id}", ApiTarget(BASE), choice=tiers)
        self.api = RestApi(self._with_images(), self._invoke)

    def _terms(self, price: int) -> Any:
        return self.functions.terms(price, paymentFlow="upfront")

    @staticmethod
    def _with_images() -> dict[str, Any]:
        """The example with three more resources: one with a query price, one that no route has, and a greedy one."""
        template = copy.deepcopy(TEMPLATE)
        resources, root = template["Resources"], TEMPLATE["Resources"]["Weather"]["Properties"]["ParentId"]
        for name, parent, part in (
            ("Images", root, "images"),
            ("Image", {"Ref": "Images"}, "{id}"),
            ("Berlin", {"Ref": "Weather"}, "berlin"),
            ("Rest", root, "{rest+}"),
        ):
            resources[name] = {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {"ParentId": parent, "PathPart": part},
            }
        for name in ("Image", "Berlin", "Rest"):
            method = copy.deepcopy(resources["GetWeather"])
            method["Properties"]["ResourceId"] = {"Ref": name}
            resources[f"Get{name}"] = method
        return template

    def _invoke(self, event: dict[str, Any]) -> Any:
        return self.functions.invoke("authorizer", event, seconds=self.seconds)

    def get(self, url: str = PARIS, payment: dict[str, Any] | None = None, **more: Any) -> RestReply:
        """One request, perhaps with a payment."""
        headers = {} if payment is None else {"Payment-Signature": encode(payment)}
        return self.api.request("GET", url, headers, **more)

    def signed(self, url: str = PARIS, payer: LocalAccount | None = None) -> dict[str, Any]:
        """A payment for what a 402 offers."""
        return self.functions.sign(payer or self.functions.buyer(), decode(self.get(url).headers["payment-required"]))

    def state(self, payment: dict[str, Any]) -> State:
        """Where it stands."""
        return self.kept(payment).state

    def kept(self, payment: dict[str, Any]) -> Payment:
        """The ledger's item."""
        table = Table(self.functions.client("dynamodb"), self.functions.resource("PaymentsTable"))
        found = PaymentsLedger(table).get(PaymentId.of(parse_payment(encode(payment))))
        assert found is not None
        return found

    def transfers(self, payment: dict[str, Any]) -> int:
        """What the payer has paid so far, in atomic units."""
        return 100_000_000 - self.functions.chain.balance(payment["payload"]["authorization"]["from"])


@pytest.fixture(scope="module")
def shared_api(aws_endpoint: str, shared_chain: Chain) -> Iterator[Api]:
    """One for all tests that leave it as it was."""
    shared_chain.mine_at_once()
    gate = RpcGate(shared_chain.url)
    gate.start()
    try:
        with Functions(aws_endpoint, shared_chain, rpc_url=gate.url, patient=False) as functions:
            yield Api(functions, gate)
    finally:
        gate.clear()
        gate.stop()


@pytest.fixture
def api(shared_api: Api) -> Iterator[Api]:
    """The same, as it should be, and with nothing passed yet."""
    shared_api.api.passed.clear()
    shared_api.seconds = None
    yield shared_api
    shared_api.gate.clear()
    shared_api.functions.chain.mine_at_once()


def assert_no_offer(reply: RestReply, status: int) -> None:
    """Of this status, and nothing that a client would take for a reason to sign again."""
    assert reply.status == status, reply
    assert "payment-required" not in reply.headers
    assert set(json.loads(reply.body)) == {"error", "code"}


def test_a_request_without_payment_gets_the_402_of_the_proxy(api: Api) -> None:
    """PAYMENT-REQUIRED and the body of version 1; the resource is the API's own URL, and it says: settled first."""
    reply = api.get()
    offer = decode(reply.headers["payment-required"])
    assert reply.status == 402
    assert offer["resource"]["url"] == f"{BASE}{PARIS}"
    (accepted,) = offer["accepts"]
    assert accepted["extra"]["paymentFlow"] == "upfront"
    assert json.loads(reply.body)["accepts"][0]["maxAmountRequired"] == accepted["amount"]
    assert reply.headers["cache-control"] == "private, no-store"
    assert len(reply.headers["payment-required"]) < 4096
    assert not api.api.passed


def test_a_paid_request_passes_once_and_the_same_payment_never_again(api: Api) -> None:
    """Settled on chain before it passes; who paid is in the event behind; then 409, from wherever it comes."""
    payment = api.signed()
    assert api.get(payment=payment).status == 200
    (event,) = api.api.passed
    told = event["requestContext"]["authorizer"]
    receipt = decode(told["paymentResponse"])
    assert receipt["success"] is True
    assert api.functions.chain.transaction(receipt["transaction"]) is not None
    assert told["payer"] == payment["payload"]["authorization"]["from"] == told["principalId"]
    assert told["payment"] == api.kept(payment).id.digest
    assert api.state(payment) is State.GRANTED
    for source in ("192.0.2.1", STRANGER):
        assert_no_offer(api.get(payment=payment, source=source), 409)
    assert_no_offer(api.get("/weather/oslo", payment=payment), 409)
    assert len(api.api.passed) == 1
    assert api.transfers(payment) == 10_000


def test_a_crash_between_settlement_and_grant_grants_its_buyer_once_and_no_stranger(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies with the money taken. The resend passes once the lease is over, once; a copied header never."""
    payment = api.signed()
    with monkeypatch.context() as killing:

        def die(*_: Any) -> None:
            raise Killed

        killing.setattr(grant_run, "recheck_at", die)
        with pytest.raises(Killed):
            api.get(payment=payment)
    assert api.state(payment) is State.SETTLED
    assert_no_offer(api.get(payment=payment, source=STRANGER), 409)
    api.functions.advance(40)
    assert_no_offer(api.get(payment=payment, source=STRANGER), 409)
    assert api.state(payment) is State.SETTLED
    assert api.get(payment=payment).status == 200
    assert_no_offer(api.get(payment=payment), 409)
    assert len(api.api.passed) == 1
    assert api.transfers(payment) == 10_000


def test_a78_an_unknown_outcome_is_503_without_an_offer_and_granted_when_it_is_known(api: Api) -> None:
    """The transaction does not mine in time: nobody passes and nobody is invited to sign anew; the resend passes."""
    payment = api.signed()
    api.functions.chain.stop_mining()
    reply = api.get(payment=payment)
    assert_no_offer(reply, 503)
    assert reply.headers["retry-after"] == "2"
    assert api.state(payment) is State.SETTLING
    assert not api.api.passed
    api.functions.chain.mine_at_once()
    api.functions.advance(40)
    assert api.get(payment=payment).status == 200
    assert_no_offer(api.get(payment=payment), 409)


def test_a_grant_that_would_come_too_late_is_left_to_the_resend(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less than a second left API Gateway may have answered already: settled, not granted, 503."""
    payment = api.signed()
    with monkeypatch.context() as late:
        late.setattr(grant_run, "GRANT_RESERVE_SECONDS", 100.0)
        assert_no_offer(api.get(payment=payment), 503)
    assert api.state(payment) is State.SETTLED
    assert not api.api.passed
    assert api.get(payment=payment).status == 200
    assert_no_offer(api.get(payment=payment), 409)


def test_the_chain_down_before_the_claim_is_503_and_takes_nothing(api: Api) -> None:
    """Nothing was written: the same payment is good when the chain answers."""
    payment = api.signed()
    api.gate.rule(Act.ERROR, "eth_call")
    assert_no_offer(api.get(payment=payment), 503)
    api.gate.clear()
    assert api.get(payment=payment).status == 200


def test_nobody_comes_for_it_so_it_is_owed_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any payment that is settled first: reconcile writes down that it is owed back, and it opens nothing more."""
    payment = api.signed()
    with monkeypatch.context() as late:
        late.setattr(grant_run, "GRANT_RESERVE_SECONDS", 100.0)
        api.get(payment=payment)
    api.functions.advance(SERVE_WINDOW_SECONDS + 60)
    api.functions.invoke("reconcile", {})
    assert api.state(payment) is State.REFUND_DUE
    assert_no_offer(api.get(payment=payment), 409)
    assert not api.api.passed


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Payment-Signature": "!"}, "malformed"),
        ({"PAYMENT-SIGNATURE": ["e30=", "e30="]}, ""),
        ({"X-Payment": "e30=", "PAYMENT-SIGNATURE": "e30="}, "payment_header_ambiguous"),
        ({"Payment-Signature": "A" * 8196}, "payment_header_too_large"),
    ],
)
def test_a1_a_payment_that_cannot_be_read_gets_the_offer_again(api: Api, headers: dict[str, Any], code: str) -> None:
    """With what is wrong with it; nothing is written, and nothing passes."""
    reply = api.api.request("GET", PARIS, headers)
    assert reply.status == 402
    assert decode(reply.headers["payment-required"])["accepts"]
    assert json.loads(reply.body)["message"]
    assert not api.api.passed


def test_a18_a_payment_of_other_terms_gets_the_offer_again(api: Api) -> None:
    """Refused as at the proxy, with the reason."""
    payment = api.signed()
    payment["accepted"] = payment["accepted"] | {"amount": "1"}
    reply = api.get(payment=payment)
    assert reply.status == 402
    assert decode(reply.headers["payment-required"])["error"] != "Payment required"
    assert not api.api.passed


def test_a20_the_price_is_that_of_the_query(api: Api) -> None:
    """A payment for the small one does not open the large one; twice the same name has no price."""
    small, large = (decode(api.get(f"/images/7?size={size}").headers["payment-required"]) for size in "sl")
    assert [int(offer["accepts"][0]["amount"]) for offer in (small, large)] == [5, 50]
    payment = api.functions.sign(api.functions.buyer(), small)
    assert api.get("/images/7?size=l", payment=payment).status == 402
    assert api.get("/images/7?size=s&size=l", payment=payment).status == 402
    assert not api.api.passed
    assert api.get("/images/7?size=s", payment=payment).status == 200


@pytest.mark.parametrize(
    "url",
    ["/weather/berlin", "/weather/paris/now", "/Weather/paris", "//weather/paris", "/weather%2Fparis", "/x402/results"],
)
def test_a29_no_other_resource_passes_for_the_price_of_a_route(api: Api, url: str) -> None:
    """The API has resources that the routes do not know, one more literal among them: never free, and never cheap."""
    payment = api.signed()
    for sent in (None, payment):
        assert api.get(url, payment=sent).status in (402, 403, 503)
    assert not api.api.passed
    assert api.transfers(payment) == 0


def test_a29_a_spelling_of_a_path_is_the_same_purchase(api: Api) -> None:
    """API Gateway decodes parameters: an encoded letter is that letter; what has two readings is refused."""
    payment = api.signed("/weather/p%61ris")
    assert decode(api.get("/weather/p%61ris").headers["payment-required"])["resource"]["url"] == f"{BASE}{PARIS}"
    for url in ("/weather/a%2Fb", "/weather/%2e%2e", "/weather/a%3Bb", "/weather/a%25b"):
        assert api.get(url, payment=payment).status == 402
        assert "payment-required" not in {k for k, v in api.get(url).headers.items() if v}
    assert not api.api.passed
    assert api.get(payment=payment).status == 200


def test_a30_a_head_is_never_paid(api: Api) -> None:
    """No resource of the example takes it; an authorizer that is asked all the same offers and settles nothing."""
    payment = api.signed()
    event = {
        "httpMethod": "HEAD", "resource": "/weather/{city}", "pathParameters": {"city": "paris"}, "methodArn": "arn:x",
        "multiValueHeaders": {"Payment-Signature": [encode(payment)]},
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
    }  # fmt: skip
    output = api.functions.invoke("authorizer", event)
    assert output["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert api.transfers(payment) == 0


def test_a_policy_names_this_request_and_nothing_else(api: Api) -> None:
    """Even a result that somebody kept would open one path."""
    outputs = []
    seen = RestApi(api.api.template, lambda event: outputs.append(api._invoke(event)) or outputs[-1])
    payment = api.signed()
    assert seen.request("GET", PARIS, {"Payment-Signature": encode(payment)}).status == 200
    (statement,) = outputs[0]["policyDocument"]["Statement"]
    assert statement["Resource"].endswith("/prod/GET/weather/paris")
    assert statement["Effect"] == "Allow"
    assert "*" not in statement["Resource"]


def test_why_the_result_is_never_kept(api: Api) -> None:
    """With API Gateway's default of 300 seconds one payment would pass again and again; the example says 0."""
    payment = api.signed()
    kept = copy.deepcopy(api.api.template)
    properties = kept["Resources"]["Tollgate"]["Properties"]
    assert properties["AuthorizerResultTtlInSeconds"] == 0
    assert "IdentitySource" not in properties
    del properties["AuthorizerResultTtlInSeconds"]
    properties["IdentitySource"] = "method.request.header.PAYMENT-SIGNATURE"
    careless = RestApi(kept, api._invoke)
    headers = {"PAYMENT-SIGNATURE": encode(payment)}
    assert [careless.request("GET", PARIS, headers).status for _ in range(3)] == [200, 200, 200]


def test_an_authorizer_that_fails_in_any_way_is_503(api: Api) -> None:
    """A crash, a timeout, a throttle, an output that is none: unknown, never a reason to sign anew."""
    for broken in (RuntimeError("Task timed out"), KeyError("x"), Exception("Unauthorized ")):

        def fail(_: Any, error: Exception = broken) -> Any:
            raise error

        assert_no_offer(RestApi(TEMPLATE, fail).request("GET", PARIS), 503)
    assert {r["StatusCode"] for r in api.api._responses.values()} == {"402", "409", "503"}


def test_a_route_of_the_authorizer_is_not_for_sale_at_the_proxy(api: Api) -> None:
    """Nor is one of the proxy's at the authorizer: each sells its own."""
    payment = api.signed()
    reply = api.functions.request("GET", PARIS, payment=payment)
    assert (reply.status, reply.json()["code"]) == (404, "unknown_route")
    assert api.functions.request("GET", "/discovery/resources").json()["items"] == []
    assert api.transfers(payment) == 0


def test_it_needs_what_its_role_may_and_asks_the_chain_once(api: Api) -> None:
    """A 402 costs no write; a purchase one batch to the chain, and the writes of an upfront one."""
    with api.functions.recording() as seen:
        api.get()
    assert {call.operation for call in seen.aws} <= {"BatchGetItem"}
    payment = api.signed()
    with api.functions.recording() as seen:
        assert api.get(payment=payment).status == 200
    own = [call for call in seen.aws if call.function == "authorizer"]
    assert [call.operation for call in own if call.service == "dynamodb"] == [
        "TransactWriteItems", "UpdateItem", "TransactWriteItems", "UpdateItem",
    ]  # fmt: skip
    assert len([call for call in seen.rpc if call.function == "authorizer"]) == 1
