"""What is said to a remote facilitator, and what its answers may say: x402 v2, PyPI ``x402`` 2.25.0.

    POST /settle     {"x402Version":2,"paymentPayload":{..},"paymentRequirements":{..}}
                     → {"success":true,"transaction":"0x..","network":"eip155:84532","payer":"0x.."}
    GET /supported   → {"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"}],
                        "signers":{"eip155:*":["0x.."]}}

An answer is read strictly, and is a hint at most: only the chain says what became of the money (threats 73-76).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.errors import BadRequest
from tollgate.payment.networks import Asset
from tollgate.payment.settlement import SettleRequest
from tollgate.wire.models import X402_VERSION, Requirements
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.reasons import Reason
from tollgate.wire.strict_json import loads

MAX_ANSWER_BYTES = 64 * 1024
_SCHEME = "exact"
# An errorReason is the facilitator's own text: only one that looks like a code is ever logged.
_CODE = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Said:
    """A facilitator's word. ``transaction`` comes with success or with settlement_pending; ``why`` is a code."""

    success: bool
    transaction: Bytes32 | None
    why: str


NOTHING = Said(False, None, "")


@dataclass(frozen=True, slots=True)
class Supported:
    """What a facilitator settles with the ``exact`` scheme of x402 v2, and which accounts send for it."""

    networks: frozenset[Network]
    signers: Mapping[str, tuple[Address, ...]]

    def signers_of(self, network: Network) -> tuple[Address, ...]:
        """The accounts of a network, by its own name or that of all EVM networks."""
        return tuple(dict.fromkeys((*self.signers.get(str(network), ()), *self.signers.get("eip155:*", ()))))


def settle_message(request: SettleRequest, asset: Asset) -> bytes:
    """The body of POST /settle: the payment as a v2 client sends it, whichever version it came in."""
    a = request.authorization
    requirements = Requirements(
        _SCHEME,
        request.network,
        a.value,
        request.asset,
        a.to,
        request.max_timeout_seconds,
        {"name": asset.name, "version": asset.version},
    ).to_json()
    payload = {
        "signature": "0x" + request.signature.hex(),
        "authorization": {
            "from": str(a.from_),
            "to": str(a.to),
            "value": str(a.value),
            "validAfter": str(a.valid_after),
            "validBefore": str(a.valid_before),
            "nonce": str(a.nonce),
        },
    }
    message = {
        "x402Version": X402_VERSION,
        "paymentPayload": {
            "x402Version": X402_VERSION,
            "resource": {"url": request.resource_url},
            "accepted": requirements,
            "payload": payload,
        },
        "paymentRequirements": requirements,
    }
    return json.dumps(message).encode()


def read_settled(body: bytes, request: SettleRequest) -> Said:
    """Read the answer of POST /settle. Raises ``ValueError`` with a code for what says nothing about this payment."""
    answer = _object(body)
    if answer.get("success") is True:
        return Said(True, _transaction(answer, request), "")
    if answer.get("success") is not False:
        raise ValueError("success_not_boolean")
    reason = answer.get("errorReason")
    why = reason if isinstance(reason, str) and _CODE.fullmatch(reason) else "no_reason"
    if why == Reason.SETTLEMENT_PENDING.value and answer.get("transaction"):
        return Said(False, _transaction(answer, request), why)
    return Said(False, None, why)


def read_supported(body: bytes) -> Supported:
    """Read the answer of GET /supported; kinds and signers of other schemes and chains are passed over.

    Raises ``ValueError`` with a code.
    """
    answer = _object(body)
    kinds, signers = answer.get("kinds"), answer.get("signers", {})
    if not isinstance(kinds, list) or not isinstance(signers, dict):
        raise ValueError("kinds_or_signers_missing")
    networks = (
        _network(kind.get("network"))
        for kind in kinds
        if isinstance(kind, dict) and kind.get("x402Version") == X402_VERSION and kind.get("scheme") == _SCHEME
    )
    return Supported(
        networks=frozenset(network for network in networks if network is not None),
        signers={family: _addresses(listed) for family, listed in signers.items()},
    )


def _transaction(answer: dict[str, Any], request: SettleRequest) -> Bytes32:
    """The transaction that an answer names, if it is about this payment. Raises ``ValueError`` (threat 74)."""
    if _network(answer.get("network")) != request.network:
        raise ValueError("other_network")
    payer = answer.get("payer")
    if payer is not None and _address(payer) != request.authorization.from_:
        raise ValueError("other_payer")
    try:
        return Bytes32.parse(answer.get("transaction"))
    except ValueError:
        raise ValueError("no_transaction") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        # Its own numbers may be of any kind: none of them is read here.
        answer = loads(body, max_bytes=MAX_ANSWER_BYTES, floats=True)
    except BadRequest as error:
        raise ValueError(error.code) from None
    if not isinstance(answer, dict):
        raise ValueError("not_an_object")
    return answer


def _network(text: object) -> Network | None:
    try:
        return Network.parse(text)
    except ValueError:
        return None


def _address(text: object) -> Address | None:
    try:
        return Address.parse(text)
    except ValueError:
        return None


def _addresses(listed: object) -> tuple[Address, ...]:
    found = (_address(one) for one in listed) if isinstance(listed, list) else ()
    return tuple(address for address in found if address is not None)
