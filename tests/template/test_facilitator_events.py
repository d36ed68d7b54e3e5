"""The events of challenge, verify, supported and settle over HTTP, read with the code and with official software."""

import json
import time
from typing import Any

import pytest
from x402.schemas import PaymentPayload, PaymentRequirements
from x402.schemas.v1 import PaymentPayloadV1, PaymentRequirementsV1

from tests.template.cfn import ROOT, load, of_type
from tollgate.edge.http_api import read_request
from tollgate.gateway.challenge import Challenger
from tollgate.gateway.outcomes import Kind
from tollgate.gateway.price_quotes import Quotes
from tollgate.payment.events import NullJournal
from tollgate.payment.networks import network_info
from tollgate.payment.sellers import name_in
from tollgate.payment.terms import check_authorization
from tollgate.payment.v1_names import network_named
from tollgate.schemes.exact import eip3009
from tollgate.wire.facilitator_messages import parse_envelope, read_business

POSTED = ["settle_post", "settle_post_v1", "verify_post", "verify_post_v1"]
HTTP = ["challenge_get", "supported_get", "verify_no_key", *POSTED]


def _event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


@pytest.mark.parametrize("name", HTTP)
def test_an_http_event_is_what_its_route_sends(name: str) -> None:
    """Payload format 2.0, under the route key of the template."""
    event = _event(name)
    keys = {route["Properties"]["RouteKey"] for route in of_type(load(), "AWS::ApiGatewayV2::Route").values()}
    assert event["version"] == "2.0"
    assert event["routeKey"] == f"ANY {event['rawPath']}" == event["requestContext"]["routeKey"]
    assert event["routeKey"] in keys
    assert event["requestContext"]["http"]["path"] == event["rawPath"]
    assert all(key == key.lower() and isinstance(value, str) for key, value in event["headers"].items())
    assert event["requestContext"]["http"]["sourceIp"] == event["headers"]["x-forwarded-for"]
    assert event["headers"].get("content-length", "0") == str(len(event.get("body", "")))


@pytest.mark.parametrize("name", POSTED)
def test_a_posted_payment_is_one_that_its_payer_signed(name: str) -> None:
    """Valid when it was sent, for exactly what is required, with a key of the right form."""
    event = _event(name)
    request = read_request(event)
    scheme, key = request.headers["authorization"].split(" ")
    assert (scheme, name_in(key)) == ("Bearer", "tea-shop")
    business = read_business(parse_envelope(request.body), network_named)
    requirements, authorization = business.requirements, business.payload.authorization
    info = network_info(requirements.network)
    assert info.name == "base-sepolia"
    asset = info.asset(requirements.asset.lower)
    eip3009.check_signature(asset, info.network, authorization, business.payload.signature)
    check_authorization(requirements, authorization)
    sent_at = event["requestContext"]["timeEpoch"] // 1000
    assert authorization.valid_after < sent_at < authorization.valid_before
    assert authorization.valid_before == sent_at + requirements.max_timeout_seconds


@pytest.mark.parametrize("name", POSTED)
def test_official_software_reads_it_too(name: str) -> None:
    """Both versions, by the SDK's own models."""
    message = json.loads(_event(name)["body"])
    if message["x402Version"] == 1:
        PaymentPayloadV1.model_validate(message["paymentPayload"])
        PaymentRequirementsV1.model_validate(message["paymentRequirements"])
    else:
        PaymentPayload.model_validate(message["paymentPayload"])
        PaymentRequirements.model_validate(message["paymentRequirements"])


def test_the_event_without_a_key_is_otherwise_the_same() -> None:
    """What it shows is the 401."""
    event, keyless = _event("verify_post"), _event("verify_no_key")
    assert "authorization" not in keyless["headers"]
    assert keyless["body"] == event["body"]


def test_the_challenge_event_asks_for_a_route() -> None:
    """Its parameters are in order: only the route is not for sale where there are none."""

    class Empty:
        def current(self) -> Any:
            raise LookupError

        fresh = current

    request = read_request(_event("challenge_get"))
    quotes = Quotes(Empty, bytes, time.time, NullJournal())  # type: ignore[arg-type]
    challenger = Challenger(Empty(), "https://api.example", NullJournal(), quotes)
    with pytest.raises(LookupError):
        challenger.challenge(request.raw_query)
    assert challenger.challenge("path=").kind is Kind.BAD_REQUEST
