"""Each event of events/ goes through its real handler: what ``sam local invoke`` shows is known."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.chain import Chain
from tests.support.functions import PAY_TO, Functions
from tests.support.upstream import CountingUpstream
from tests.template.cfn import ROOT
from tollgate.ledger.sellers import SellersTable
from tollgate.payment.sellers import Allowance, Seller, key_hash, name_in
from tollgate.wire.primitives import Address

EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))}
HTTP = [name for name, event in EVENTS.items() if "http" in event.get("requestContext", {})]

# The payments of the events were signed once and have expired, as the functions say; everything else is served.
STATUS = {
    "admin_routes_get": 401,
    "analytics_get": 403,
    "challenge_get": 402,
    "proxy_get_paid": 402,
    "proxy_get_unpaid": 402,
    "proxy_head": 402,
    "proxy_options": 204,
    "proxy_post_paid": 402,
    "proxy_preflight": 204,
    "records_history_get": 403,
    "records_payment_get": 404,
    "verify_no_key": 401,
}


@pytest.fixture(scope="module")
def stack(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """The routes and the seller that the events name."""
    shared_chain.mine_at_once()
    upstream = CountingUpstream()
    with Functions(aws_endpoint, shared_chain) as functions:
        functions.sell("GET", "/weather/{city}", upstream.url)
        functions.sell("POST", "/reports", upstream.url)
        asset = shared_chain.asset.address
        for key in {_key(event) for event in EVENTS.values()} - {""}:
            name = name_in(key)
            assert name is not None, "the events' key must be one"
            allowed = (Allowance(shared_chain.info.network, asset, 10**9),)
            payees = {Address.parse(PAY_TO), *_payees()}
            seller = Seller(name, tuple(payees), allowed, 10, (key_hash(key),))
            SellersTable(functions.client("dynamodb"), functions.resource("SellersTable")).add(seller)
        functions.invoke("reconcile", {})
        # Deep enough for what has expired to be proven so.
        shared_chain.mine(20)
        yield functions
    upstream.stop()


def _key(event: dict[str, Any]) -> str:
    return str(event.get("headers", {}).get("authorization", "")).removeprefix("Bearer ")


def _payees() -> list[Address]:
    bodies = [
        json.loads(event["body"]) for name, event in EVENTS.items() if name.startswith(("verify_post", "settle_post"))
    ]
    return [Address.parse(body["paymentRequirements"]["payTo"]) for body in bodies]


def _function(name: str) -> str:
    return name.split("_", maxsplit=1)[0]


def _body(answer: dict[str, Any]) -> bytes:
    text: str = answer["body"]
    return base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()


def test_every_function_has_an_event_and_every_event_a_function(stack: Functions) -> None:
    """The file's name begins with the function's."""
    assert {_function(name) for name in EVENTS} == set(stack.loaded)


@pytest.mark.parametrize("name", HTTP)
def test_an_http_event_is_answered_as_its_name_says(stack: Functions, name: str) -> None:
    """No event is a 500: that would be an event that API Gateway does not send."""
    answer = stack.invoke(_function(name), EVENTS[name])
    assert answer["statusCode"] == STATUS.get(name, 200), _body(answer)
    if name.startswith("verify_post"):
        assert json.loads(_body(answer))["isValid"] is False
    if name.startswith("settle_post"):
        said = json.loads(_body(answer))
        assert (said["success"], said["transaction"]) == (False, "")
    if name == "supported_get":
        assert json.loads(_body(answer))["kinds"]


def test_the_expired_payments_are_refused_for_that(stack: Functions) -> None:
    """Signature, terms and route are right: only the time has passed."""
    for name in ("verify_post", "verify_post_v1"):
        said = json.loads(_body(stack.invoke("verify", EVENTS[name])))
        assert said["invalidReason"] == "invalid_exact_evm_payload_authorization_valid_before"


def test_the_other_events_are_answered_too(stack: Functions) -> None:
    """Scheduler's, a REST API's, the proxy's to settle, and the operator's."""
    with pytest.raises(Exception, match="unknown_route"):
        stack.invoke("authorizer", EVENTS["authorizer_get"])
    status = stack.invoke("settle", EVENTS["settle_relayers"])
    assert status["networks"][0]["hasGas"] is True
    assert stack.invoke("settle", EVENTS["settle_doctor"])["relayers"]
    assert stack.invoke("records", EVENTS["records_receipt"])["code"] == "unknown_payment"
    settled = stack.invoke("settle", EVENTS["settle_settle"])
    assert settled["outcome"] in ("failed", "refused")
    assert stack.invoke("publisher", EVENTS["publisher_stream"]) == {"batchItemFailures": []}
    assert stack.invoke("webhooks", EVENTS["webhooks_queue"]) == {"batchItemFailures": []}
    assert stack.invoke("analytics", EVENTS["analytics_op"])["rows"] == []
    assert stack.invoke("counter", EVENTS["counter_stream"]) == {"batchItemFailures": []}
    assert stack.invoke("reconcile", EVENTS["reconcile_schedule"]) == {"visited": 0}
