"""What a Lambda function is handed, read by what its author would read it with."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from tests.support.lambda_events import Context
from tollgate.gateway.function_event import MAX_PAYLOAD_BYTES, function_payload
from tollgate.gateway.messages import PaidBy, UpstreamRequest

NOW = 1_800_000_000.5
PAID_BY = PaidBy("9f" * 32, "0x" + "0A" * 20, "eip155:84532", "0x" + "0B" * 20, 10_000)
REQUEST = UpstreamRequest(
    method="POST",
    path="/reports/Zürich 1",
    raw_query="a=1&b=x%20y&a=2&c",
    headers={"content-type": "application/json", "user-agent": "agent/1"},
    body=b'{"q": "\xc3\xbc"}',
    params={"city": "Zürich 1"},
    pattern="/reports/{city}",
    source_address="192.0.2.1",
    paid_by=PAID_BY,
)


def event(**changes: Any) -> dict[str, Any]:
    """The event of the request with some changes."""
    payload = function_payload(replace(REQUEST, **changes), domain="pay.example.com", now=NOW, request_id="r1")
    read: dict[str, Any] = json.loads(payload)
    return read


def test_the_event_is_api_gateways_own_shape() -> None:
    """Every field that AWS documents for payload format 2.0, but none of cookies and stage variables."""
    assert event() == {
        "version": "2.0",
        "routeKey": "POST /reports/{city}",
        "rawPath": "/reports/Zürich 1",
        "rawQueryString": "a=1&b=x%20y&a=2&c",
        "headers": {
            "content-type": "application/json",
            "user-agent": "agent/1",
            "host": "pay.example.com",
            "content-length": "11",
        },
        "queryStringParameters": {"a": "1,2", "b": "x y", "c": ""},
        "pathParameters": {"city": "Zürich 1"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "tollgate",
            "authorizer": {
                "lambda": {
                    "paymentId": "9f" * 32,
                    "payer": "0x" + "0A" * 20,
                    "network": "eip155:84532",
                    "asset": "0x" + "0B" * 20,
                    "amount": "10000",
                }
            },
            "domainName": "pay.example.com",
            "domainPrefix": "pay",
            "http": {
                "method": "POST",
                "path": "/reports/Zürich 1",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent/1",
            },
            "requestId": "9f" * 32,
            "routeKey": "POST /reports/{city}",
            "stage": "$default",
            "time": "15/Jan/2027:08:00:00 +0000",
            "timeEpoch": 1_800_000_000_500,
        },
        "body": '{"q": "ü"}',
        "isBase64Encoded": False,
    }


def test_powertools_reads_who_paid_where_an_authorizers_context_is() -> None:
    """And its resolver routes by the path."""
    app = APIGatewayHttpResolver()

    @app.post("/reports/<city>")
    def report(city: str) -> dict[str, Any]:
        current: APIGatewayProxyEventV2 = app.current_event
        paid = current.request_context.authorizer.get_lambda
        return {"city": city, "payer": paid["payer"], "asked": current.json_body["q"]}

    answer = app(event(), Context("f", "arn", 10))  # type: ignore[arg-type]
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"city": "Zürich 1", "payer": "0x" + "0A" * 20, "asked": "ü"}


def test_what_nobody_paid_for_names_nobody() -> None:
    """A free route's call has a request id of its own."""
    context = event(paid_by=None)["requestContext"]
    assert "authorizer" not in context
    assert context["requestId"] == "r1"


def test_without_body_query_and_params_their_fields_are_missing() -> None:
    """As API Gateway leaves them out."""
    bare = event(body=b"", raw_query="", params={})
    assert not {"body", "queryStringParameters", "pathParameters"} & set(bare)
    assert "content-length" not in bare["headers"]


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("application/json; charset=utf-8", b"{}", True),
        ("application/problem+json", b"{}", True),
        ("text/csv", b"a,b", True),
        ("TEXT/PLAIN", b"a", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("application/json", b"\xff", False),
        ("image/png", b"abc", False),
        ("", b"abc", False),
    ],
)
def test_a_body_is_text_where_api_gateway_has_text_and_base64_elsewhere(kind: str, body: bytes, text: bool) -> None:
    """Bytes that are no UTF-8 always are in base64."""
    made = event(headers={"content-type": kind}, body=body)
    assert made["isBase64Encoded"] is not text
    assert made["body"] == (body.decode() if text else base64.b64encode(body).decode())


def test_the_largest_body_fits_whatever_is_in_it() -> None:
    """4 MiB of controls would be six times that as text: it goes in base64."""
    for byte in (b"\x01", b"a", "€".encode(), b'"'):
        body = (byte * (4 * 1024 * 1024))[: 4 * 1024 * 1024 // len(byte) * len(byte)]
        payload = function_payload(
            replace(REQUEST, body=body, headers={"content-type": "text/plain", "x-a": "b" * 10_000}),
            domain="pay.example.com",
            now=NOW,
            request_id="r1",
        )
        assert len(payload) < MAX_PAYLOAD_BYTES
        made = json.loads(payload)
        sent = base64.b64decode(made["body"]) if made["isBase64Encoded"] else made["body"].encode()
        assert sent == body


def test_what_lambda_would_not_take_is_never_sent() -> None:
    """The gateway's cap is below; whoever lifts it hears of it."""
    with pytest.raises(ValueError, match="must be under"):
        event(body=b"\xff" * 5_000_000)


def test_a_buyer_cannot_say_who_paid() -> None:
    """Headers and query are not where it stands."""
    made = event(
        headers={"x-requestcontext": "{}", "x-payer": "0xme", "host": "evil.example", "content-length": "0"},
        raw_query="requestContext=1&authorizer=2",
    )
    assert made["requestContext"]["authorizer"]["lambda"]["payer"] == PAID_BY.payer
    assert (made["headers"]["host"], made["headers"]["content-length"]) == ("pay.example.com", "11")
