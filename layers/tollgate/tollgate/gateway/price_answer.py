"""What a price function is asked, and how its answer is read: an exact price, or none.

    asked     {"version":"1","route":"translate","method":"POST","path":"/translate/de","params":{"to":"de"},
               "query":"tone=formal","parameters":{"tone":["formal"]},"body":{"text":"..."}}
    answers   {"price":"$0.012"}     {"amount":"12000"}     {"price":"$0.012","validSeconds":30}

``price`` is in dollars, for tokens that are dollars; ``amount`` is in atomic units. What the question says of the
request is also what a quote is bound to (``payment.computed_price``): two requests that the function cannot tell apart
cost the same.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tollgate.errors import BadRequest
from tollgate.gateway.catalogue import Match
from tollgate.gateway.pricing import parse_amount, parse_dollars
from tollgate.payment.networks import network_info
from tollgate.wire import strict_json
from tollgate.wire.models import Requirements

MAX_ANSWER_BYTES = 4096
_FIELDS = frozenset({"price", "amount", "validSeconds"})


@dataclass(frozen=True, slots=True)
class PriceAnswer:
    """``dollars`` such as ``$0.01``, or an ``amount`` in atomic units; ``valid_seconds`` if the function said so."""

    dollars: str | None
    amount: int | None
    valid_seconds: int | None

    def amounts(self, terms: tuple[Requirements, ...]) -> tuple[int, ...]:
        """Atomic units for each of the terms. Raises ``ValueError``."""
        assets = [network_info(r.network).asset(str(r.asset)) for r in terms]
        if self.dollars is not None:
            return tuple(parse_dollars(self.dollars, asset) for asset in assets)
        if self.amount is None or len({asset.decimals for asset in assets}) > 1:
            raise ValueError("amount means different sums in tokens of different decimals: answer with price")
        return tuple(self.amount for _ in assets)


def question(match: Match, raw_query: str, body: dict[str, Any]) -> bytes:
    """The one text of what a function is asked; ``body`` holds the selected fields that the request has."""
    asked = {
        "version": "1",
        "route": match.route.id,
        "method": match.route.method,
        "path": match.path,
        "params": dict(match.params),
        "query": raw_query,
        "parameters": parse_qs(raw_query, keep_blank_values=True),
        "body": body,
    }
    return json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()


def bound(asked: bytes) -> bytes:
    """What a quote for a question is bound to: all but the names that the seller gave the route and its params.

    Buyers see neither, and an apply that changes them leaves what was offered acceptable (rule 8).
    """
    request = {name: value for name, value in json.loads(asked).items() if name not in ("route", "params")}
    return json.dumps(request, sort_keys=True, separators=(",", ":")).encode()


def read_answer(returned: bytes) -> PriceAnswer:
    """Read what a function returned. Raises ``ValueError``."""
    try:
        answer = strict_json.loads(returned, max_bytes=MAX_ANSWER_BYTES)
    except BadRequest as error:
        raise ValueError(error.sentence) from error
    if not isinstance(answer, dict) or not answer.keys() <= _FIELDS or ("price" in answer) == ("amount" in answer):
        raise ValueError("must be an object with price or amount, and perhaps validSeconds")
    seconds = answer.get("validSeconds")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 1):
        raise ValueError("validSeconds must be a whole number of seconds over 0")
    if "amount" in answer:
        amount = answer["amount"]
        if isinstance(amount, bool) or not isinstance(amount, str | int):
            raise ValueError("amount must be atomic units, as text or as a whole number")
        return PriceAnswer(None, parse_amount(str(amount)), seconds)
    if not isinstance(answer["price"], str):
        raise ValueError('price must be text such as "$0.01"')
    return PriceAnswer(answer["price"], None, seconds)
