"""What a facilitator's /verify, /settle and /supported say and are told, in x402 v2 and v1.

    verify, settle  ->  {"x402Version":2,"paymentPayload":{..},"paymentRequirements":{..}}
    verify          <-  {"isValid":true,"payer":"0x.."}
                        {"isValid":false,"invalidReason":"..","invalidMessage":"..","payer":"0x.."}
    settle          <-  {"success":true,"transaction":"0x..","network":"eip155:84532","payer":"0x..","amount":"10000"}
                        {"success":false,"transaction":"","network":"..","errorReason":"..","errorMessage":".."}
    supported       <-  {"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"}],"extensions":[],
                         "signers":{"eip155:*":["0x.."]}}

The envelope is one thing, the payment in it another: an envelope that cannot be read is a ``BadRequest``, a
payment that cannot be is a ``Refusal``, which travels as an ordinary answer. Checked against PyPI ``x402``
2.25.0 (``schemas/responses.py``, ``schemas/v1.py``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tollgate.errors import BadRequest, Refusal
from tollgate.wire import parse, strict_json, v1
from tollgate.wire.fields import Fields
from tollgate.wire.models import ExactPayload, Requirements
from tollgate.wire.primitives import Address, Network
from tollgate.wire.reasons import Reason

# A payment has about 1,300 bytes; discovery extensions of the seller's may be many times that.
MAX_BODY_BYTES = 64 * 1024
_MAX_DEPTH = 40
_FIELDS = Fields("the request")
_REQUIREMENTS = "paymentRequirements"

# The network of a v1 name; raises Refusal for names that are not known.
NetworkNamed = Callable[[str], Network]
# It is repeated in the answer, whatever it says.
_LONGEST_NETWORK = 64


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request as far as anybody could read it. ``network`` is spelled as the caller spells it."""

    version: int
    network: str
    payload: Mapping[str, Any] = field(repr=False)
    requirements: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Business:
    """A payment (what it ``accepted`` and what was signed), and the requirements that the seller says it must meet."""

    accepted: Requirements
    payload: ExactPayload
    requirements: Requirements


@dataclass(frozen=True, slots=True)
class VerifyResponse:
    """Of /verify. There is a reason exactly when it is not valid."""

    payer: Address | None = None
    reason: Reason | None = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON form; absent optional fields are left out."""
        out: dict[str, Any] = {"isValid": self.reason is None}
        if self.reason is not None:
            out["invalidReason"] = self.reason.value
            out["invalidMessage"] = self.message
        if self.payer is not None:
            out["payer"] = str(self.payer)
        return out


@dataclass(frozen=True, slots=True)
class SettleAnswer:
    """Of /settle. There is a reason exactly when it is no success; ``transaction`` is "" when there is none."""

    network: str
    transaction: str = ""
    payer: Address | None = None
    amount: int | None = None
    reason: Reason | None = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON form; absent optional fields are left out."""
        out: dict[str, Any] = {
            "success": self.reason is None,
            "transaction": self.transaction,
            "network": self.network,
        }
        if self.reason is not None:
            out["errorReason"] = self.reason.value
            out["errorMessage"] = self.message
        if self.payer is not None:
            out["payer"] = str(self.payer)
        if self.amount is not None:
            out["amount"] = str(self.amount)
        return out


def parse_envelope(body: bytes) -> Envelope:
    """Read a body of /verify or /settle. Raises ``BadRequest``: 413 over the cap, else 400."""
    if len(body) > MAX_BODY_BYTES:
        raise BadRequest(413, "request_body_too_large", f"The request body is over {MAX_BODY_BYTES} bytes.")
    # Extensions are the seller's business and may hold any number; what we read ourselves never takes a float.
    message = strict_json.loads(body, max_bytes=MAX_BODY_BYTES, max_depth=_MAX_DEPTH, floats=True)
    if not isinstance(message, dict):
        raise _malformed("The request", "must be a JSON object")
    version = message.get("x402Version")
    if isinstance(version, float) and version.is_integer():
        # Over the safe range, and no version that anybody knows: not malformed, only refused.
        version = int(version)
    if type(version) is not int:
        raise _malformed("x402Version", "must be a number")
    payload, requirements = message.get("paymentPayload"), message.get("paymentRequirements")
    if not isinstance(payload, dict):
        raise _malformed("paymentPayload", "must be a JSON object")
    if not isinstance(requirements, dict):
        raise _malformed("paymentRequirements", "must be a JSON object")
    network = requirements.get("network")
    if not isinstance(network, str) or not 0 < len(network) <= _LONGEST_NETWORK:
        raise _malformed("paymentRequirements.network", f"must be a string of 1 to {_LONGEST_NETWORK} characters")
    return Envelope(version, network, payload, requirements)


def read_business(envelope: Envelope, network_named: NetworkNamed) -> Business:
    """The payment and its requirements, whichever version they came in.

    ``network_named`` finds the network of a v1 name. Raises ``Refusal``: ``invalid_x402_version``,
    ``unsupported_scheme``, ``invalid_network``, ``invalid_payment_requirements``, ``invalid_payload`` or the
    signature's reason.
    """
    if envelope.version not in _READERS:
        raise Refusal(Reason.INVALID_X402_VERSION, "x402Version must be 1 or 2.")
    read = _READERS[envelope.version]
    try:
        requirements = read.requirements(envelope, network_named)
    except BadRequest as bad:
        raise Refusal(Reason.INVALID_REQUIREMENTS, bad.sentence) from bad
    try:
        return read.payment(envelope, requirements, network_named)
    except BadRequest as bad:
        raise Refusal(Reason.INVALID_PAYLOAD, bad.sentence) from bad


def _requirements_v2(envelope: Envelope, _: NetworkNamed) -> Requirements:
    return parse.read_requirements(envelope.requirements, _FIELDS, _REQUIREMENTS)


def _payment_v2(envelope: Envelope, requirements: Requirements, _: NetworkNamed) -> Business:
    payment = parse.read_payment(envelope.payload, _FIELDS)
    return Business(payment.accepted, payment.payload, requirements)


def _requirements_v1(envelope: Envelope, network_named: NetworkNamed) -> Requirements:
    return v1.read_requirements(envelope.requirements, _FIELDS, _REQUIREMENTS, network_named)


def _payment_v1(envelope: Envelope, requirements: Requirements, network_named: NetworkNamed) -> Business:
    """v1 names no price in a payment: what it accepted is what the seller says, on the network that it names."""
    payment = v1.read_payment(envelope.payload, _FIELDS)
    accepted = replace(requirements, network=network_named(payment.network))
    return Business(accepted, payment.payload, requirements)


@dataclass(frozen=True, slots=True)
class _Reader:
    requirements: Callable[[Envelope, NetworkNamed], Requirements]
    payment: Callable[[Envelope, Requirements, NetworkNamed], Business]


_READERS = {1: _Reader(_requirements_v1, _payment_v1), 2: _Reader(_requirements_v2, _payment_v2)}


def _malformed(name: str, why: str) -> BadRequest:
    return BadRequest(400, "malformed_request", f"{name} {why}.")
