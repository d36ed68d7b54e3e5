"""Every way in which a facilitator's answer to POST /settle can be wrong (threats 73-76)."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from tests.support.facilitator import hang_up, reply
from tests.support.upstream import Handler

STRANGER = "0x" + "e1" * 20
# A transaction that paid for nothing here.
OLD = "0x" + "0d" * 32

Answer = dict[str, Any]


def changed(**changes: Any) -> Callable[[Handler, Answer], None]:
    """The answer of success with other fields; ``None`` leaves one out."""

    def answer(handler: Handler, success: Answer) -> None:
        told = {**success, **changes}
        reply(handler, {name: value for name, value in told.items() if value is not None})

    return answer


def raw(status: int, body: bytes, content_type: str = "application/json") -> Callable[[Handler, Answer], None]:
    """These bytes."""
    return lambda handler, _: handler.answer(status, body, {"Content-Type": content_type})


def cut_short(handler: Handler, success: Answer) -> None:
    """Half of the answer that was announced."""
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"success":true,')
    hang_up(handler)


def twice(handler: Handler, success: Answer) -> None:
    """One key, two values."""
    handler.answer(200, b'{"success":false,"success":true,"transaction":"%s"}' % success["transaction"].encode())


def late(handler: Handler, _: Answer) -> None:
    """An answer that nobody waits for any more."""
    time.sleep(2.2)
    hang_up(handler)


def drip(handler: Handler, _: Answer) -> None:
    """An answer of which a byte comes now and then."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for byte in b'{"success":true' + b" " * 100:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.1)


def endless(handler: Handler, _: Answer) -> None:
    """An answer that has no end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _chunk in range(2_000):
            handler.wfile.write(b"400\r\n" + b" " * 1024 + b"\r\n")


# How an answer can be wrong, and the code under which it is logged.
ODD: dict[str, tuple[Callable[[Handler, Answer], None], str]] = {
    "no answer": (lambda handler, _: hang_up(handler), "invalid_answer"),
    "502 HTML": (raw(502, b"<html>Bad gateway</html>", "text/html"), "status_502"),
    "503 with success": (lambda handler, success: reply(handler, success, 503), "status_503"),
    "201 with success": (lambda handler, success: reply(handler, success, 201), "status_201"),
    "401": (lambda handler, _: reply(handler, {"error": "key"}, 401), "status_401"),
    "307": (lambda handler, success: reply(handler, success, 307, {"Location": "/settle"}), "status_307"),
    "HTML": (raw(200, b"<html>Welcome</html>", "text/html"), "invalid_json"),
    "truncated": (cut_short, "invalid_answer"),
    "a list": (raw(200, b"[]"), "not_an_object"),
    "too big": (raw(200, b'{"success":true,"x":"' + b"x" * 70_000 + b'"}'), "too_large"),
    "without end": (endless, "too_large"),
    "nothing": (raw(200, b""), "invalid_json"),
    "a key twice": (twice, "json_duplicate_key"),
    "success as text": (changed(success="true"), "success_not_boolean"),
    "success as number": (changed(success=1), "success_not_boolean"),
    "no success": (changed(success=None), "success_not_boolean"),
    "another payer": (changed(payer=STRANGER), "other_payer"),
    "another network": (changed(network="eip155:8453"), "other_network"),
    "a name for the network": (changed(network="base-sepolia"), "other_network"),
    "no network": (changed(network=None), "other_network"),
    "no transaction": (changed(transaction=""), "no_transaction"),
    "a short hash": (changed(transaction="0xabc"), "no_transaction"),
    "a refusal": (changed(success=False, errorReason="invalid_payload", transaction=""), "invalid_payload"),
    "a refusal in prose": (changed(success=False, errorReason="Key sk_live_1 is bad"), "no_reason"),
    "pending without a hash": (
        changed(success=False, errorReason="settlement_pending", transaction=""), "settlement_pending",
    ),
}  # fmt: skip
