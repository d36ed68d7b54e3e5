"""Sellers elsewhere who may use the facilitator: who they are, and what they may have settled.

A key is ``tg_<seller>_<43 base64url characters>``: it names its seller, so that one read finds whom it would
belong to, and carries 256 random bits. Only its SHA-256 is kept; no slow hash is needed for that much chance.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tollgate.errors import ConfigurationError, Refusal
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network, parse_atomic
from tollgate.wire.reasons import Reason

# Whom the stack's own routes are settled for: never a name that a key could carry.
OWN = "self"
# On whose behalf refunds are settled; no key can carry it either.
REFUND = "refund"
_RESERVED = frozenset({OWN, REFUND})

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_KEY = re.compile(rf"tg_({_NAME.pattern})_[A-Za-z0-9_-]{{43}}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A token that a seller may be paid in, and the most per payment, in its atomic units."""

    network: Network
    asset: Address
    max_amount: int


@dataclass(frozen=True, slots=True)
class Seller:
    """A seller: default deny, so empty lists allow nothing. ``key_hashes``: several while a key is rotated."""

    name: str
    pay_to: tuple[Address, ...]
    allowances: tuple[Allowance, ...]
    settlements_per_day: int
    key_hashes: tuple[str, ...] = field(repr=False)

    def holds(self, key: str) -> bool:
        """Whether ``key`` is one of this seller's; every hash is compared, each in constant time."""
        given = key_hash(key)
        found = [hmac.compare_digest(given, known) for known in self.key_hashes]
        return any(found)

    def check(self, requirements: Requirements) -> None:
        """Raise ``Refusal`` unless this seller may have such a payment verified and settled (threat 61)."""
        if requirements.pay_to not in self.pay_to:
            raise Refusal(Reason.INVALID_REQUIREMENTS, "Your key does not cover this payTo.")
        for allowance in self.allowances:
            if (allowance.network, allowance.asset) == (requirements.network, requirements.asset):
                if requirements.amount > allowance.max_amount:
                    raise Refusal(Reason.INVALID_REQUIREMENTS, "The amount is over what your key covers.")
                return
        raise Refusal(Reason.INVALID_REQUIREMENTS, "Your key does not cover this asset on this network.")


def check_name(name: str) -> str:
    """The name of a seller. Raises ``ValueError`` with a sentence."""
    if _NAME.fullmatch(name) is None:
        raise ValueError("must be 1 to 32 lower-case letters, digits and inner hyphens")
    if name in _RESERVED:
        raise ValueError(f"must not be {name}: that is the stack itself")
    return name


def name_in(key: str) -> str | None:
    """The seller that a key names, or ``None`` when it is no key at all."""
    match = _KEY.fullmatch(key)
    return match[1] if match is not None and match[1] not in _RESERVED else None


def key_hash(key: str) -> str:
    """What is kept of a key: SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def seller_to_json(seller: Seller) -> str:
    """A seller as compact JSON. It holds the keys' hashes: not for eyes."""
    document = {
        "payTo": [str(address) for address in seller.pay_to],
        "allow": [
            {"network": str(a.network), "asset": str(a.asset), "maxAmount": str(a.max_amount)}
            for a in seller.allowances
        ],
        "settlementsPerDay": seller.settlements_per_day,
        "keyHashes": list(seller.key_hashes),
    }
    return json.dumps(document, separators=(",", ":"))


def seller_from_json(name: str, text: str) -> Seller:
    """Read ``seller_to_json`` back. Raises ``ConfigurationError`` on anything else."""
    try:
        data: dict[str, Any] = json.loads(text)
        per_day, hashes = data["settlementsPerDay"], data["keyHashes"]
        if type(per_day) is not int or per_day < 0:
            raise ValueError("settlementsPerDay must be a whole number")
        if not all(isinstance(h, str) and _HASH.fullmatch(h) for h in hashes):
            raise ValueError("keyHashes must be SHA-256 in hex")
        return Seller(
            name=check_name(name),
            pay_to=tuple(Address.parse(address) for address in data["payTo"]),
            allowances=tuple(
                Allowance(Network.parse(a["network"]), Address.parse(a["asset"]), parse_atomic(a["maxAmount"]))
                for a in data["allow"]
            ),
            settlements_per_day=per_day,
            key_hashes=tuple(hashes),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the sellers table holds a seller {name} that cannot be read: {error}") from error
