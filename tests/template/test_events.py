"""The events in events/ are what `sam local invoke` sends: kept true by reading them with the code itself."""

import json
from typing import Any

import pytest

from tests.template.cfn import ROOT, load, of_type
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import SettleRequest
from tollgate.schemes.exact import eip3009
from tollgate.wire import headers
from tollgate.wire.parse import parse_payment
from tollgate.wire.payment_identifier import identifier_of, is_secret

NAMES = sorted(path.stem for path in (ROOT / "events").glob("*.json"))
PROXY = [name for name in NAMES if name.startswith("proxy_")]


def _event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def test_every_function_has_events() -> None:
    """Each front door of each function is here."""
    assert NAMES == [
        "admin_routes_get",
        "analytics_get",
        "analytics_op",
        "authorizer_get",
        "challenge_get",
        "counter_stream",
        "discovery_resources",
        "proxy_get_paid",
        "proxy_get_unpaid",
        "proxy_head",
        "proxy_options",
        "proxy_post_paid",
        "proxy_preflight",
        "publisher_stream",
        "reconcile_schedule",
        "records_did_get",
        "records_history_get",
        "records_payment_get",
        "records_receipt",
        "settle_doctor",
        "settle_post",
        "settle_post_v1",
        "settle_relayers",
        "settle_settle",
        "supported_get",
        "verify_no_key",
        "verify_post",
        "verify_post_v1",
        "webhooks_queue",
    ]


@pytest.mark.parametrize("name", PROXY)
def test_a_proxy_event_has_payload_format_2(name: str) -> None:
    """Header names lower case, one value each, the path without a stage, as an HTTP API sends them."""
    event = _event(name)
    assert event["version"] == "2.0"
    assert event["routeKey"] == "$default" == event["requestContext"]["stage"]
    assert event["requestContext"]["http"]["path"] == event["rawPath"]
    assert all(key == key.lower() and isinstance(value, str) for key, value in event["headers"].items())
    assert event["requestContext"]["http"]["sourceIp"] == event["headers"]["x-forwarded-for"]
    assert event["headers"].get("content-length", "0") == str(len(event.get("body", "")))


@pytest.mark.parametrize("name", ["proxy_get_paid", "proxy_post_paid"])
def test_a_paid_event_carries_a_payment_that_its_payer_signed(name: str) -> None:
    """For this host and path, on Base Sepolia, with an identifier that proves something."""
    event = _event(name)
    payment = parse_payment(event["headers"][headers.PAYMENT_SIGNATURE])
    info = network_info(str(payment.accepted.network))
    assert info.name == "base-sepolia"
    eip3009.check_signature(
        info.asset(str(payment.accepted.asset)),
        info.network,
        payment.payload.authorization,
        payment.payload.signature,
    )
    authorization = payment.payload.authorization
    sent_at = event["requestContext"]["timeEpoch"] // 1000
    assert authorization.valid_after < sent_at < authorization.valid_before
    assert authorization.value == payment.accepted.amount
    assert authorization.to == payment.accepted.pay_to
    assert payment.resource_url == f"https://{event['headers']['host']}{event['rawPath']}"
    identifier = identifier_of(payment)
    assert identifier is not None
    assert is_secret(identifier)


@pytest.mark.parametrize("name", ["admin_routes_get", "records_did_get", "records_history_get", "records_payment_get"])
def test_a_signed_in_event_is_what_its_route_sends(name: str) -> None:
    """Under a route key of the template; nobody has signed in."""
    event = _event(name)
    keys = {route["Properties"]["RouteKey"] for route in of_type(load(), "AWS::ApiGatewayV2::Route").values()}
    assert event["routeKey"] == event["requestContext"]["routeKey"]
    assert event["routeKey"] in keys
    assert event["requestContext"]["http"]["path"] == event["rawPath"]
    key = event["routeKey"].removeprefix("ANY ")
    assert event["rawPath"] == key.replace("{id}", event.get("pathParameters", {}).get("id", ""))
    assert headers.SIGN_IN_WITH_X not in event["headers"]


@pytest.mark.parametrize("name", ["proxy_get_unpaid", "proxy_head", "proxy_options", "proxy_preflight"])
def test_an_unpaid_event_carries_no_payment(name: str) -> None:
    """Neither version's header."""
    assert not {"payment-signature", "x-payment"} & set(_event(name)["headers"])


def test_the_settle_event_asks_for_the_paid_events_payment() -> None:
    """What the proxy hands on is what the buyer signed."""
    event = _event("settle_settle")
    assert event["op"] == "settle"
    request = SettleRequest.from_json(event["request"])
    assert request.to_json() == event["request"]
    payment = parse_payment(_event("proxy_get_paid")["headers"][headers.PAYMENT_SIGNATURE])
    assert request.authorization == payment.payload.authorization
    assert request.signature == payment.payload.signature
    assert _event("settle_relayers") == {"op": "relayers"}


def test_the_schedule_event_is_schedulers_own() -> None:
    """The template sets no input, so Scheduler sends its default."""
    event = _event("reconcile_schedule")
    assert event["source"] == "aws.scheduler"
    assert event["detail-type"] == "Scheduled Event"
