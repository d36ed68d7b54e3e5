"""What a Lambda function returned, read as API Gateway's HTTP API reads it (payload format 2.0).

An object with ``statusCode`` is an answer: status, headers, cookies, body, base64 or not. Any other JSON is 200 with
that JSON as its body, text as it stands. What API Gateway would answer 500 for is ``ValueError`` here: no answer,
so nothing that is charged. Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs".
"""

import base64
import json
import re
from typing import Any, NoReturn

from tollgate.gateway.forwarding import is_field
from tollgate.gateway.upstream import UpstreamAnswer

_STATUS = re.compile(r"[1-5][0-9]{2}")
_JSON = (("content-type", "application/json"),)
_PLAIN = ("content-type", "text/plain; charset=utf-8")


def read_function_answer(payload: bytes) -> UpstreamAnswer:
    """Read what Invoke returned. Raises ``ValueError`` for what is no answer."""
    try:
        returned = json.loads(payload.decode(), parse_constant=_no_json)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    if isinstance(returned, dict) and "statusCode" in returned:
        return _answer(returned)
    body = returned.encode() if isinstance(returned, str) else payload
    return UpstreamAnswer(200, _JSON, body)


def _answer(returned: dict[str, Any]) -> UpstreamAnswer:
    body = _body(returned)
    headers = _headers(returned)
    if body and not returned.get("isBase64Encoded") and all(name != "content-type" for name, _ in headers):
        headers = (*headers, _PLAIN)
    if not all(is_field(*pair) for pair in headers):
        raise ValueError("a header holds what no header may hold")
    return UpstreamAnswer(_status(returned["statusCode"]), headers, body)


def _status(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or _STATUS.fullmatch(str(value)) is None:
        raise ValueError("statusCode must be a number from 100 to 599")
    return int(value)


def _headers(returned: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers, cookies = returned.get("headers") or {}, returned.get("cookies") or []
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise ValueError("headers must be an object, and cookies a list")
    pairs = [(name.lower(), _value(value)) for name, value in headers.items()]
    return (*pairs, *(("set-cookie", _value(cookie)) for cookie in cookies))


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError("a header's value must be text, a number, true or false")


def _body(returned: dict[str, Any]) -> bytes:
    body, encoded = returned.get("body"), returned.get("isBase64Encoded", False)
    if body is None:
        return b""
    if not isinstance(body, str) or not isinstance(encoded, bool):
        raise ValueError("body must be text, and isBase64Encoded true or false")
    return base64.b64decode(body, validate=True) if encoded else body.encode()


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
