"""Who may call verify and settle: 401 before anything is parsed, read or asked (threats 61, 71)."""

from collections.abc import Callable

import pytest

from tests.support.functions import Functions, Seen
from tests.support.lambda_events import Reply
from tests.support.sellers import SETTLE, VERIFY, SellerElsewhere, items, make_key


def recorded(functions: Functions, call: Callable[[], Reply]) -> tuple[Reply, Seen]:
    """The answer of a warm function, and what it took."""
    call()
    with functions.recording() as seen:
        reply = call()
    return reply, seen


def assert_401(reply: Reply) -> None:
    """The one answer to everybody without a key."""
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.json() == {
        "error": "Send Authorization: Bearer with a seller's key of this facilitator.",
        "code": "unauthorized",
    }


@pytest.mark.parametrize("path", [VERIFY, SETTLE])
@pytest.mark.parametrize("key", ["", "tg_", "secret", "tg_self_" + "A" * 43, "tg_UPPER_" + "A" * 43])
def test_a61_without_a_key_nothing_is_asked_of_anybody(
    functions: Functions, elsewhere: SellerElsewhere, path: str, key: str
) -> None:
    """Neither chain nor table; not even the body is read."""
    good = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    for body in (good, b"{", b"\xff" * 70_000):
        reply, seen = recorded(functions, lambda body=body: elsewhere.post(path, body, key=key))  # type: ignore[misc]
        assert_401(reply)
        assert seen.trace == []


@pytest.mark.parametrize("path", [VERIFY, SETTLE])
def test_a61_a_wrong_key_costs_one_read_and_no_rpc_call(
    functions: Functions, elsewhere: SellerElsewhere, path: str
) -> None:
    """Of a seller that is there, of one that is not, and another's secret under a known name."""
    other = SellerElsewhere(functions)
    mixed = f"tg_{elsewhere.name}_{other.key[-43:]}"
    for key in (make_key(elsewhere.name), make_key("nobody"), mixed):
        body = elsewhere.envelope(elsewhere.payment(functions.buyer()))
        reply, seen = recorded(functions, lambda key=key, body=body: elsewhere.post(path, body, key=key))  # type: ignore[misc]
        assert_401(reply)
        assert [call.operation for call in seen.aws] == ["GetItem"]
        assert seen.rpc == []


def test_a_removed_key_ends_at_once(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """Nothing of a seller is remembered between calls."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    assert elsewhere.verify(envelope)["isValid"]
    elsewhere.table.remove(elsewhere.name)
    assert_401(elsewhere.post(VERIFY, envelope))
    assert_401(elsewhere.post(SETTLE, envelope))


def test_the_scheme_is_read_in_any_case(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """RFC 9110: authentication schemes are case-insensitive."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"authorization": f"{scheme} {elsewhere.key}"}
        assert functions.request("POST", VERIFY, body=b"{}", headers=headers).status == 400
    for wrong in (f"Basic {elsewhere.key}", elsewhere.key, f"Bearer {elsewhere.key},Bearer {elsewhere.key}"):
        assert functions.request("POST", VERIFY, body=b"{}", headers={"authorization": wrong}).status == 401


@pytest.mark.parametrize("path", [VERIFY, SETTLE])
def test_another_method_is_told_which_one_is_right(functions: Functions, elsewhere: SellerElsewhere, path: str) -> None:
    """405 with Allow, and a preflight without CORS is free."""
    for method in ("GET", "PUT", "DELETE", "HEAD", "PATCH"):
        reply, seen = recorded(functions, lambda method=method: functions.request(method, path))  # type: ignore[misc]
        assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")
        assert method == "HEAD" or reply.json()["code"] == "method_not_allowed"
        assert seen.trace == []
    options = functions.request("OPTIONS", path)
    assert (options.status, options.body, options.headers["allow"]) == (204, b"", "POST, OPTIONS")


@pytest.mark.parametrize("path", [VERIFY, SETTLE])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "malformed_request"),
        (b'"text"', 400, "malformed_request"),
        (b"{}", 400, "malformed_request"),
        (b"\xff", 400, "invalid_json"),
        (b'{"x402Version":2,"x402Version":1}', 400, "json_duplicate_key"),
        (b'{"x402Version":"2","paymentPayload":{},"paymentRequirements":{"network":"base"}}', 400, "malformed_request"),
        (b'{"x402Version":2,"paymentPayload":[],"paymentRequirements":{"network":"base"}}', 400, "malformed_request"),
        (b'{"x402Version":2,"paymentPayload":{},"paymentRequirements":[]}', 400, "malformed_request"),
        (b'{"x402Version":2,"paymentPayload":{},"paymentRequirements":{}}', 400, "malformed_request"),
        (b'{"x402Version":2,"paymentPayload":{},"paymentRequirements":{"network":5}}', 400, "malformed_request"),
        (b'{"x402Version":2,"paymentPayload":{},"paymentRequirements":{"network":""}}', 400, "malformed_request"),
        (b"[" * 200, 400, "json_too_deep"),
        (b'{"x402Version":1e400}', 400, "json_number_refused"),
        (b'{"x402Version":NaN}', 400, "json_number_refused"),
        (b" " * 65_537, 413, "request_body_too_large"),
    ],
)
def test_an_envelope_that_cannot_be_read_is_a_4xx(
    functions: Functions, elsewhere: SellerElsewhere, path: str, body: bytes, status: int, code: str
) -> None:
    """{error, code}, no RPC call, nothing written."""
    before = items(functions)
    reply, seen = recorded(functions, lambda: elsewhere.post(path, body))
    assert (reply.status, reply.json()["code"]) == (status, code)
    assert set(reply.json()) == {"error", "code"}
    assert reply.headers["content-type"] == "application/json"
    assert seen.rpc == []
    assert items(functions) == before


def test_a_bug_is_a_logged_500_and_never_a_failed_settlement(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """An official server reads success:false as "not paid" and offers again; a 500 leaves it open."""
    functions.cold("settle", "verify")
    name = functions.resource("SellersTable")
    dynamo = functions.client("dynamodb")
    dynamo.put_item(
        TableName=name,
        Item={"pk": {"S": f"SELLER#{elsewhere.name}"}, "seller": {"S": "not json"}, "version": {"N": "1"}},
    )
    for path, function in ((VERIFY, "verify"), (SETTLE, "settle")):
        reply = elsewhere.post(path, elsewhere.envelope(elsewhere.payment(functions.buyer())))
        assert reply.status == 500
        assert reply.json()["code"] == "internal_error"
        assert any(line["message"] == f"{function}.bug" for line in functions.loaded[function].lines())
        assert any(f"{function}.bug" in said for said in functions.loaded[function].metrics)
