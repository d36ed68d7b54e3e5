"""What a facilitator under a check's control does with POST /settle."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.support.facilitator import Facilitator, OnSettle, reply
from tests.support.upstream import Handler

LIE = "0x" + "0d" * 32

Behaviour = Callable[[Facilitator], OnSettle]


def never_answers(facilitator: Facilitator) -> OnSettle:
    """Longer than anybody waits."""

    def on_settle(message: dict[str, Any], handler: Handler) -> None:
        time.sleep(4)
        facilitator.success(message, LIE)
        handler.close_connection = True

    return on_settle


def raw(status: int, body: bytes, kind: str = "application/json") -> Behaviour:
    """These bytes."""
    return lambda _: lambda _message, handler: handler.answer(status, body, {"Content-Type": kind})


def says(status: int = 200, **changes: Any) -> Behaviour:
    """A success with other fields, although nothing was paid."""
    return lambda facilitator: (
        lambda message, handler: reply(handler, {**facilitator.success(message, LIE), **changes}, status)
    )


def cut_short(facilitator: Facilitator) -> OnSettle:
    """Half of what was announced."""

    def on_settle(message: dict[str, Any], handler: Handler) -> None:
        whole = json.dumps(facilitator.success(message, LIE)).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[: len(whole) // 2])
        handler.close_connection = True

    return on_settle


def pays_and_says_pending(facilitator: Facilitator) -> OnSettle:
    """Broadcast, and not mined yet; asked again it says the same."""
    sent: list[str] = []

    def on_settle(message: dict[str, Any], handler: Handler) -> None:
        if not sent:
            sent.append(facilitator.pay(message))
        reply(
            handler,
            {
                **facilitator.success(message, sent[0]),
                "success": False,
                "errorReason": "settlement_pending",
            },
        )

    return on_settle


def pays_and_never_answers(facilitator: Facilitator) -> OnSettle:
    """Broadcast, and no word of it."""
    silent = never_answers(facilitator)
    sent: list[str] = []

    def on_settle(message: dict[str, Any], handler: Handler) -> None:
        if not sent:
            sent.append(facilitator.pay(message))
        silent(message, handler)

    return on_settle


NOT_PAID: dict[str, Behaviour] = {
    "R3": never_answers,
    "R4": raw(502, b"<html>502 Bad Gateway</html>", "text/html"),
    "R5": says(503),
    "R6": raw(200, b"<html>Service temporarily unavailable</html>", "text/html"),
    "R7": cut_short,
    "R8": says(success=False, errorReason="settlement_pending"),
    "R9": says(success=False, errorReason="invalid_transaction_state"),
}
