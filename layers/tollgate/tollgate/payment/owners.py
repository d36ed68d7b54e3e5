"""Owners: who may register routes of their own on this stack, where, and on which terms. The operator says so.

Default deny: an address without such a row is nobody here.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.payment.routes import MAX_FEE_BPS
from tollgate.wire.primitives import Address

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,62}"
_PATH = re.compile(rf"(?:/{_SEGMENT}){{1,4}}")
_DOLLARS = re.compile(r"\$[0-9]{1,9}(\.[0-9]{1,18})?")
MAX_ROUTES = 200
LEAST_PRICE = "$0.001"


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner. ``path`` is what all paths of its routes begin with, as whole segments; ``pay_to`` are the addresses
    that it may be paid at, the first one unless a route says another; ``functions`` the ARNs of the Lambda functions
    that it may sell; ``fee_bps`` what it owes the operator of each payment, in hundredths of a percent; ``least`` the
    least price, in dollars: each settlement costs the operator's relayer gas."""

    address: Address
    path: str
    pay_to: tuple[Address, ...]
    fee_bps: int = 0
    max_routes: int = 20
    functions: tuple[str, ...] = ()
    least: str = LEAST_PRICE

    @property
    def segments(self) -> tuple[str, ...]:
        """Its path, by segments."""
        return tuple(self.path[1:].split("/"))


def check_path(path: str) -> str:
    """The path that an owner's routes begin with. Raises ``ValueError`` with a sentence."""
    if _PATH.fullmatch(path) is None:
        raise ValueError("must be a path of one to four plain segments, such as /acme, without a slash at the end")
    return path


def overlap(one: Owner, other: Owner) -> bool:
    """Whether some path is below both, in letters of whatever case."""
    shorter = min(len(one.segments), len(other.segments))
    return [s.lower() for s in one.segments[:shorter]] == [s.lower() for s in other.segments[:shorter]]


def owner_to_json(owner: Owner) -> str:
    """An owner as compact JSON."""
    document = {
        "path": owner.path,
        "payTo": [address.lower for address in owner.pay_to],
        "feeBps": owner.fee_bps,
        "maxRoutes": owner.max_routes,
        "functions": list(owner.functions),
        "least": owner.least,
    }
    return json.dumps(document, separators=(",", ":"))


def owner_from_json(address: Address, text: str) -> Owner:
    """Read ``owner_to_json`` back. Raises ``ConfigurationError`` on anything else."""
    try:
        data: dict[str, Any] = json.loads(text)
        fee, most = data["feeBps"], data["maxRoutes"]
        if type(fee) is not int or not 0 <= fee <= MAX_FEE_BPS or type(most) is not int or most < 0:
            raise ValueError("feeBps and maxRoutes must be whole numbers within their bounds")
        if not data["payTo"] or not all(isinstance(name, str) for name in data["functions"]):
            raise ValueError("payTo must not be empty, and functions must be texts")
        if _DOLLARS.fullmatch(data["least"]) is None:
            raise ValueError("least must be dollars")
        return Owner(
            address=address,
            path=check_path(data["path"]),
            pay_to=tuple(Address.parse(text) for text in data["payTo"]),
            fee_bps=fee,
            max_routes=most,
            functions=tuple(data["functions"]),
            least=data["least"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the routes table holds an owner {address} that cannot be read: {error}") from error
