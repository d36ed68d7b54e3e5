"""A function's return value is read as API Gateway reads it; what that would answer 500 for is no answer."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tollgate.gateway.function_answer import read_function_answer
from tollgate.gateway.upstream import UpstreamAnswer

JSON = (("content-type", "application/json"),)
PLAIN = (("content-type", "text/plain; charset=utf-8"),)


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (b'{"message":"hi"}', UpstreamAnswer(200, JSON, b'{"message":"hi"}')),
        (b'"hi \\u00fc"', UpstreamAnswer(200, JSON, "hi ü".encode())),
        (b"[1, 2.5]", UpstreamAnswer(200, JSON, b"[1, 2.5]")),
        (b"null", UpstreamAnswer(200, JSON, b"null")),
        (b"true", UpstreamAnswer(200, JSON, b"true")),
        (b'{"status":500}', UpstreamAnswer(200, JSON, b'{"status":500}')),
        ({"statusCode": 204}, UpstreamAnswer(204, (), b"")),
        ({"statusCode": 200, "body": ""}, UpstreamAnswer(200, (), b"")),
        ({"statusCode": "201", "body": "made"}, UpstreamAnswer(201, PLAIN, b"made")),
        ({"statusCode": 200, "body": None, "headers": None, "cookies": None}, UpstreamAnswer(200, (), b"")),
        (
            {"statusCode": 404, "headers": {"Content-Type": "text/html", "X-Count": 3, "X-Ok": True}, "body": "<p>"},
            UpstreamAnswer(404, (("content-type", "text/html"), ("x-count", "3"), ("x-ok", "true")), b"<p>"),
        ),
        (
            {"statusCode": 200, "isBase64Encoded": True, "body": "AAH/", "headers": {"content-type": "image/png"}},
            UpstreamAnswer(200, (("content-type", "image/png"),), b"\x00\x01\xff"),
        ),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "AAH/"}, UpstreamAnswer(200, (), b"\x00\x01\xff")),
        (
            {"statusCode": 200, "cookies": ["a=1", "b=2"], "multiValueHeaders": {"x": ["y"]}},
            UpstreamAnswer(200, (("set-cookie", "a=1"), ("set-cookie", "b=2")), b""),
        ),
    ],
)
def test_it_is_read_as_api_gateway_reads_it(returned: Any, expected: UpstreamAnswer) -> None:
    """With a statusCode it is the answer, without one it is the body."""
    assert read_function_answer(returned if isinstance(returned, bytes) else json.dumps(returned).encode()) == expected


@pytest.mark.parametrize(
    "returned",
    [
        b"",
        b"{",
        b"hello",
        b"NaN",
        b'{"statusCode": Infinity}',
        b"\xff",
        b'"\\ud800"',
        b'{"statusCode": 200, "body": "\\ud800"}',
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": 0},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": 200.5},
        {"statusCode": "OK"},
        {"statusCode": "200 "},
        {"statusCode": "\u0662\u0660\u0660"},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": 5},
        {"statusCode": 200, "body": "x", "isBase64Encoded": "true"},
        {"statusCode": 200, "body": "not base64!", "isBase64Encoded": True},
        {"statusCode": 200, "body": "AAH", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "headers": "x: y"},
        {"statusCode": 200, "headers": {"x": ["y"]}},
        {"statusCode": 200, "headers": {"x": None}},
        {"statusCode": 200, "headers": {"x": "a\r\ny: b"}},
        {"statusCode": 200, "headers": {"x y": "a"}},
        {"statusCode": 200, "headers": {"": "a"}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": [{"a": 1}]},
        {"statusCode": 200, "cookies": ["a=1\r\nx: y"]},
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_api_gateway_would_not_pass_on_is_no_answer(returned: Any) -> None:
    """So it is never charged for."""
    with pytest.raises(ValueError, match=r"."):
        read_function_answer(returned if isinstance(returned, bytes) else json.dumps(returned).encode())


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000])
def test_json_that_nests_without_end_is_no_answer(deep: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit that every Lambda runtime has; libraries of the tests raise it."""
    monkeypatch.setattr("tollgate.gateway.function_answer.json.loads", _within(1_000))
    with pytest.raises(ValueError, match="nested too deeply"):
        read_function_answer(deep)


def _within(limit: int) -> Callable[..., Any]:
    """``json.loads`` under a recursion limit."""
    loads = json.loads

    def limited(*args: Any, **kwargs: Any) -> Any:
        held = sys.getrecursionlimit()
        sys.setrecursionlimit(limit)
        try:
            return loads(*args, **kwargs)
        finally:
            sys.setrecursionlimit(held)

    return limited
