"""The JSON-RPC client against endpoints that fail, lie or stall: always ChainUnavailable, never an URL."""

import json
import logging
import time
import traceback
from collections.abc import Callable

import pytest

from local.processes import free_port
from tests.contract.chain.doubles import SECRET, Exchange, Fault, replay, rpc_node
from tollgate.chain.rpc import MAX_ANSWER, MAX_IDLE_SECONDS, AnswerTimedOut, Call, RpcClient, RpcError
from tollgate.errors import ChainUnavailable, ConfigurationError

CALLS: list[Call] = [("eth_chainId", []), ("eth_blockNumber", [])]
GOOD = replay({"eth_chainId": "0x14a34", "eth_blockNumber": "0x7"})


def _ids(exchange: Exchange) -> list[int]:
    return [call["id"] for call in exchange.body]


def _answers(exchange: Exchange, *ids: object) -> None:
    exchange.send_json([{"jsonrpc": "2.0", "id": i, "result": "0x1"} for i in ids])


def _drip(exchange: Exchange) -> None:
    exchange.handler.send_response(200)
    exchange.handler.send_header("content-length", "100000")
    exchange.handler.end_headers()
    for _ in range(100):
        exchange.handler.wfile.write(b" ")
        time.sleep(0.05)


def _cut(exchange: Exchange) -> None:
    exchange.send(200, b'[{"jsonrpc"', content_length="1000")
    exchange.handler.close_connection = True


def _hang_up(exchange: Exchange) -> None:
    exchange.handler.close_connection = True


def _item(exchange: Exchange, **members: object) -> None:
    first, second = _ids(exchange)
    exchange.send_json([{"jsonrpc": "2.0", "id": first, "result": "0x1"}, {"jsonrpc": "2.0", "id": second, **members}])


HOSTILE: dict[str, Callable[[Exchange], None]] = {
    "an HTML 502": lambda x: x.send(502, b"<html>Bad Gateway</html>", content_type="text/html"),
    "an HTML 200": lambda x: x.send(200, b"<html>Welcome</html>", content_type="text/html"),
    "a 429": lambda x: x.send(429, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"slow down"}}'),
    "a 503 with a perfect body": lambda x: x.send(
        503, json.dumps([{"jsonrpc": "2.0", "id": i, "result": "0x1"} for i in _ids(x)]).encode()
    ),
    "a 204": lambda x: x.send(204, b""),
    "nothing in it": lambda x: x.send(200, b""),
    "not JSON": lambda x: x.send(200, b"[{]"),
    "not UTF-8": lambda x: x.send(200, b'["\xff\xfe"]'),
    "NaN": lambda x: x.send(200, b"[NaN, NaN]"),
    "a float": lambda x: _item(x, result=1.5),
    "a key given twice": lambda x: x.send(200, b'[{"jsonrpc":"2.0","id":1,"id":2,"result":"0x1"}]'),
    "nested too deep": lambda x: x.send(200, b"[" * 200_000),
    "a number of a million digits": lambda x: x.send(200, b"[" + b"9" * 1_000_000 + b"]"),
    "one object for two calls": lambda x: x.send_json({"jsonrpc": "2.0", "id": _ids(x)[0], "result": "0x1"}),
    "an error for the whole batch": lambda x: x.send_json(
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}}
    ),
    "one answer too few": lambda x: _answers(x, _ids(x)[0]),
    "one answer too many": lambda x: _answers(x, *_ids(x), _ids(x)[0]),
    "the same id twice": lambda x: _answers(x, _ids(x)[0], _ids(x)[0]),
    "ids of other calls": lambda x: _answers(x, *(i + 1000 for i in _ids(x))),
    "ids as strings": lambda x: _answers(x, *(str(i) for i in _ids(x))),
    "ids as floats": lambda x: _answers(x, *(float(i) for i in _ids(x))),
    "no ids": lambda x: x.send_json([{"jsonrpc": "2.0", "result": "0x1"}] * 2),
    "another version": lambda x: x.send_json([{"jsonrpc": "1.0", "id": i, "result": "0x1"} for i in _ids(x)]),
    "bare results": lambda x: x.send_json(["0x1", "0x7"]),
    "neither result nor error": _item,
    "result and error": lambda x: _item(x, result="0x1", error={"code": 1, "message": "?"}),
    "an error without a code": lambda x: _item(x, error={"message": "?"}),
    "an error that is a string": lambda x: _item(x, error="failed"),
    "too large": lambda x: x.send(200, b" " * (MAX_ANSWER + 1)),
    "compressed unasked": lambda x: x.send(200, bytes.fromhex("1f8b0800"), content_encoding="gzip"),
    "cut in the middle": _cut,
    "a closed connection": _hang_up,
}


def _text_of(error: BaseException) -> str:
    """Everything a log line could show of an exception, its hidden context included."""
    shown = "".join(traceback.format_exception(error))
    return shown + repr(error) + str(error) + repr(error.__context__) + repr(error.__cause__)


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_a58_a86_an_unusable_answer_is_unknown_and_never_shows_the_url(
    answer: Callable[[Exchange], None],
) -> None:
    """The closed error, no context behind it that names host, port or path."""
    with rpc_node(answer) as node, pytest.raises(ChainUnavailable) as caught:
        RpcClient([node.url]).batch(CALLS, 5)
    text = _text_of(caught.value)
    assert SECRET not in text
    assert "127.0.0.1" not in text
    assert caught.value.__context__ is None


def test_a86_an_endpoint_that_is_not_there_is_unknown_and_never_shows_the_url() -> None:
    """Refused at once, and a name that does not resolve."""
    for url in (f"http://127.0.0.1:{free_port()}/{SECRET}", f"http://does-not-exist.invalid/{SECRET}"):
        with pytest.raises(ChainUnavailable) as caught:
            RpcClient([url]).batch(CALLS, 2)
        assert SECRET not in _text_of(caught.value)
        assert "invalid" not in _text_of(caught.value)


def test_a_redirect_is_not_followed() -> None:
    """The second node hears nothing: neither the calls nor the signed bytes in them."""
    with rpc_node(GOOD) as elsewhere:
        for status in (301, 302, 307, 308):
            with (
                rpc_node(lambda x, s=status: x.send(s, b"", location=elsewhere.url)) as node,  # type: ignore[misc]
                pytest.raises(ChainUnavailable, match=str(status)),
            ):
                RpcClient([node.url]).batch(CALLS, 5)
        assert elsewhere.methods == []


@pytest.mark.parametrize("answer", [lambda _: time.sleep(1.5), _drip], ids=["silent", "dripping"])
def test_a_stalling_endpoint_costs_no_more_than_the_timeout(answer: Callable[[Exchange], None]) -> None:
    """A byte now and then does not extend it either; the caller learns that the question was heard."""
    with rpc_node(answer) as node:
        started = time.monotonic()
        with pytest.raises(AnswerTimedOut) as caught:
            RpcClient([node.url]).batch(CALLS, 0.4)
        assert time.monotonic() - started < 1.3
        assert SECRET not in _text_of(caught.value)


def test_the_logs_never_show_the_url_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 itself logs paths at DEBUG, and the whole URL for malformed headers."""
    logging.getLogger("urllib3").setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG), rpc_node(GOOD) as node:
        client = RpcClient([node.url])
        client.batch(CALLS, 5)
        node.answer = lambda x: x.send(500, b"")
        with pytest.raises(ChainUnavailable):
            client.batch(CALLS, 5)
    assert SECRET not in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_a_batch_is_one_post_and_errors_are_values_in_their_place() -> None:
    """A revert is an answer: the other results of the batch count."""
    with rpc_node(replay({"a": "0x1", "b": Fault(3, "execution reverted", "0x08c379a0"), "c": None})) as node:
        results = RpcClient([node.url]).batch([("a", []), ("b", [1]), ("c", []), ("d", [])], 5)
    assert results == ["0x1", RpcError(3, "execution reverted"), None, RpcError(-32601, "Method not found")]
    assert len(node.bodies) == 1


def test_answers_are_matched_by_id_in_any_order() -> None:
    """JSON-RPC lets a server answer a batch in the order it likes."""

    def backwards(exchange: Exchange) -> None:
        results = [{"jsonrpc": "2.0", "id": c["id"], "result": c["method"]} for c in exchange.body]
        exchange.send_json(results[::-1])

    with rpc_node(backwards) as node:
        assert RpcClient([node.url]).batch(CALLS, 5) == ["eth_chainId", "eth_blockNumber"]


def test_no_id_is_used_twice() -> None:
    """An answer left over from an earlier call cannot be taken for this one's."""
    with rpc_node(GOOD) as node:
        client = RpcClient([node.url])
        for _ in range(5):
            client.batch(CALLS, 5)
    ids = [call["id"] for body in node.bodies for call in body]
    assert len(set(ids)) == 10


def test_connections_are_kept_until_they_have_idled_too_long() -> None:
    """One connection for many calls; a fresh one after a freeze."""
    now = [0.0]
    with rpc_node(GOOD) as node:
        client = RpcClient([node.url], monotonic=lambda: now[0])
        for _ in range(5):
            client.batch(CALLS, 5)
        assert node.connections == 1
        now[0] += MAX_IDLE_SECONDS + 1
        client.batch(CALLS, 5)
        assert node.connections == 2


def test_the_next_endpoint_is_asked_and_the_one_that_worked_stays_first() -> None:
    """Fail-over, and no toll for a dead endpoint on every later call."""
    with rpc_node(lambda x: x.send(502, b"")) as bad, rpc_node(GOOD) as good:
        client = RpcClient([bad.url, good.url])
        for _ in range(3):
            assert client.batch(CALLS, 5) == ["0x14a34", "0x7"]
        assert len(bad.bodies) == 1
        assert len(good.bodies) == 3
        good.answer = lambda x: x.send(500, b"")
        bad.answer = GOOD
        assert client.batch(CALLS, 5) == ["0x14a34", "0x7"]


def test_a_silent_endpoint_leaves_time_for_the_next_one() -> None:
    """Each gets its share of the timeout: the first alone would use all of it."""
    with rpc_node(lambda _: time.sleep(2)) as silent, rpc_node(GOOD) as good:
        assert RpcClient([silent.url, good.url]).batch(CALLS, 1.0) == ["0x14a34", "0x7"]


def test_without_fail_over_only_one_endpoint_hears_the_call() -> None:
    """For callers that want one node's view."""
    with rpc_node(lambda x: x.send(502, b"")) as bad, rpc_node(GOOD) as good:
        with pytest.raises(ChainUnavailable):
            RpcClient([bad.url, good.url]).batch(CALLS, 5, fail_over=False)
        assert good.bodies == []


def test_no_time_left_asks_nobody() -> None:
    """A deadline that has passed is not a reason to wait."""
    with rpc_node(GOOD) as node:
        with pytest.raises(ChainUnavailable, match="no time"):
            RpcClient([node.url]).batch(CALLS, 0)
        assert node.bodies == []


@pytest.mark.parametrize("urls", [[], ["ftp://x/" + SECRET], [SECRET], ["http://ok", "ws://x/" + SECRET]])
def test_an_endpoint_that_is_no_http_url_is_a_configuration_error_without_the_url(urls: list[str]) -> None:
    """The operator learns which setting, the log does not learn the key."""
    with pytest.raises(ConfigurationError) as caught:
        RpcClient(urls)
    assert SECRET not in _text_of(caught.value)


def test_what_a_node_says_does_not_show_in_an_error_value() -> None:
    """A node's own text may quote its upstream's URL."""
    assert SECRET not in repr(RpcError(-32603, f"error sending request for url (https://up/{SECRET})"))
