"""A price that a function of the seller's computes for each request, and the seal by which the retry shows it.

What is offered carries, beside the token's domain, ``extra.quote``:

    <expires>.<HMAC-SHA256 over question, terms and expires, base64url without padding>

EIP-3009 signs no ``extra``, and buyers may write into it whatever they like: what they accept is believed as far as the
seal goes, and it covers every term. So nothing is stored for an unpaid call, and the function is not asked twice.
Pure: the key and the time come from whoever calls. Times are Unix seconds, amounts atomic units.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, replace

from tollgate.wire.models import QUOTE, Requirements

_TOKEN = re.compile(r"([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})")
_PURPOSE = "tollgate quote 1"


@dataclass(frozen=True, slots=True)
class ComputedPrice:
    """Which function is asked, and between which prices its answer has to be.

    ``low`` and ``high`` hold one requirement for each network, in the same order and but for the amount the same: an
    offer is one of them with another amount. What else terms say (scheme, token, recipient, flow) is copied, so that a
    scheme whose amount is a maximum needs nothing here. ``fields`` are those of a JSON body that the function sees.
    ``valid_seconds`` is how long an offer may be paid, at most; ``timeout_seconds`` how long the function may take.
    """

    function: str
    low: tuple[Requirements, ...]
    high: tuple[Requirements, ...]
    fields: tuple[str, ...] = ()
    valid_seconds: int = 60
    timeout_seconds: float = 2.0

    @property
    def longest(self) -> tuple[Requirements, ...]:
        """As long as an offer gets."""
        return tuple(replace(r, extra={**r.extra, QUOTE: "9" * 10 + "." + "x" * 43}) for r in self.high)

    def offered_as(self, accepted: Requirements) -> Requirements | None:
        """The terms that ``accepted`` says, with its amount, if some offer can have had them; still without a seal."""
        for low, high in zip(self.low, self.high, strict=True):
            same = replace(low, amount=accepted.amount)
            if low.amount <= accepted.amount <= high.amount and _same(same, accepted):
                return same
        return None


@dataclass(frozen=True, slots=True)
class FormerComputedPrice:
    """One that was replaced; what was offered by it stays acceptable until its seal says otherwise, or ``until``."""

    computed: ComputedPrice
    until: int


def sealed(terms: Requirements, question: bytes, key: bytes, expires: int) -> Requirements:
    """The terms as they are offered for a question, until ``expires``, inclusive."""
    token = f"{expires}.{_seal(terms, question, key, expires)}"
    return replace(terms, extra={**terms.extra, QUOTE: token})


def as_sealed(terms: Requirements, token: object, question: bytes, key: bytes, now: int) -> Requirements | None:
    """The terms with their seal, if we once offered just these for just this question, and they have not expired."""
    found = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if found is None or now > int(found[1]):
        return None
    if not hmac.compare_digest(_seal(terms, question, key, int(found[1])), found[2]):
        return None
    return replace(terms, extra={**terms.extra, QUOTE: found[0]})


def _seal(terms: Requirements, question: bytes, key: bytes, expires: int) -> str:
    parts = [_PURPOSE, hashlib.sha256(question).hexdigest(), terms.to_json(), expires]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")


def _same(terms: Requirements, accepted: Requirements) -> bool:
    alike = replace(accepted, extra=terms.extra) == terms
    return alike and all(accepted.extra.get(key) == value for key, value in terms.extra.items())
