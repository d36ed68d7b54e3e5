"""API Gateway HTTP API events (payload format 2.0) in, its responses out.

Format 2.0 lower-cases header names and joins repeated ones by a comma; ``rawPath`` starts with the
stage unless it is ``$default``. A body of other than text comes base64-encoded, once (threat 22).
Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs".
"""

import base64
from collections.abc import Mapping
from typing import Any

from tollgate.errors import BadRequest
from tollgate.gateway.messages import Answer, Request


def read_request(event: Mapping[str, Any]) -> Request:
    """Read an event. Raises ``BadRequest`` for a body that is not what it says; ``KeyError`` is a bug."""
    http = event["requestContext"]["http"]
    stage = event["requestContext"].get("stage", "$default")
    path: str = event["rawPath"]
    if stage != "$default":
        path = path.removeprefix(f"/{stage}") or "/"
    return Request(
        method=http["method"].upper(),
        raw_path=path,
        raw_query=event.get("rawQueryString", ""),
        headers={name.lower(): value for name, value in event.get("headers", {}).items()},
        body=_body(event),
        source_address=http["sourceIp"],
    )


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    try:
        if not event.get("isBase64Encoded", False):
            return body.encode()
        return base64.b64decode(body, validate=True)
    except ValueError as error:  # binascii's, or that of a lone surrogate
        raise BadRequest(400, "body_not_base64", "The request body could not be decoded.") from error


def write_answer(event: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """Render the answer to an event. Always with a statusCode: without one, HTTP API answers 200 (fail-open).

    HEAD gets no body here: whether the front door would drop it is nowhere promised (threat 30).
    """
    # The event of a bug may lack anything; the answer to it must not.
    method = event.get("requestContext", {}).get("http", {}).get("method", "")
    body = b"" if method.upper() == "HEAD" else answer.body
    headers: dict[str, str] = {}
    for name, value in answer.headers:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return {
        "statusCode": answer.status,
        "headers": headers,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
