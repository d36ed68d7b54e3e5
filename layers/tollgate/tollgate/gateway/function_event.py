"""A paid request as a Lambda function gets it: API Gateway's HTTP API event, payload format 2.0.

So a handler that was written behind API Gateway runs unchanged, with its framework. Who paid stands where a Lambda
authorizer's context does, which no header of a buyer's can reach:

    event["requestContext"]["authorizer"]["lambda"]
        {"paymentId": "9f…", "payer": "0x…", "network": "eip155:8453", "asset": "0x…", "amount": "10000"}

``paymentId`` is the payment's id in receipts, logs and tables, and also ``requestContext.requestId``: a payment runs
a function at most once. Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs".
"""

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qsl

from tollgate.gateway.messages import UpstreamRequest

# The payload of a synchronous call must be smaller: AWS, "Lambda quotas", and the bytes that its error message names.
MAX_PAYLOAD_BYTES = 6_291_456

# Bodies that API Gateway hands over as text; all others are in base64.
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded")


def function_payload(request: UpstreamRequest, *, domain: str, now: float, request_id: str) -> bytes:
    """The event as JSON. ``domain`` is the public host name, ``now`` Unix seconds, ``request_id`` of what is not paid.

    Raises ``ValueError`` for a request that Lambda would not take.
    """
    event = _event(request, domain, now, request_id)
    if request.body:
        text = _text(request)
        if text is not None:
            payload = _encoded(event | {"body": text, "isBase64Encoded": False})
            # Escaped, a text can be longer than in base64.
            if len(payload) < MAX_PAYLOAD_BYTES:
                return payload
        event |= {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}
    payload = _encoded(event)
    if len(payload) >= MAX_PAYLOAD_BYTES:
        raise ValueError(f"a function's event must be under {MAX_PAYLOAD_BYTES} bytes")
    return payload


def _event(request: UpstreamRequest, domain: str, now: float, request_id: str) -> dict[str, Any]:
    # Decoded, as HTTP APIs hand it over (REST APIs and function URLs do not).
    path = request.path
    route_key = f"{request.method} {request.pattern}"
    headers = {**request.headers, "host": domain}
    if request.body:
        headers["content-length"] = str(len(request.body))
    context: dict[str, Any] = {
        "accountId": "anonymous",
        "apiId": "tollgate",
        "domainName": domain,
        "domainPrefix": domain.split(".", 1)[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_address,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    paid_by = request.paid_by
    if paid_by is not None:
        context["requestId"] = paid_by.payment
        context["authorizer"] = {
            "lambda": {
                "paymentId": paid_by.payment,
                "payer": paid_by.payer,
                "network": paid_by.network,
                "asset": paid_by.asset,
                "amount": str(paid_by.amount),
            }
        }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if request.raw_query:
        event["queryStringParameters"] = _joined(request.raw_query)
    if request.params:
        event["pathParameters"] = dict(request.params)
    return event


def _joined(raw_query: str) -> dict[str, str]:
    """Decoded; what is given several times is joined by commas, as API Gateway does."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _text(request: UpstreamRequest) -> str | None:
    kind = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if not (kind.startswith("text/") or kind.endswith(("+json", "+xml")) or kind in _TEXT_TYPES):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def _encoded(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
