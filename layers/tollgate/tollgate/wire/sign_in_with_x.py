"""The SIGN-IN-WITH-X header: a payer's fresh signature over an EIP-4361 text.

Field names and text as in PyPI ``x402`` 2.25.0 (``extensions/sign_in_with_x``), EVM part. Fields
that could hold a line break are refused: the text would then read as another message.
Who signed, for which domain, how long ago and whether it was seen before is the caller's to check.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate.errors import BadRequest
from tollgate.wire import headers
from tollgate.wire.primitives import Address, Network, parse_hex

_DOMAIN = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_NONCE = re.compile(r"[A-Za-z0-9]{8,128}")
_STATEMENT = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;= -]*")
_REQUEST_ID = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_DAYS_IN_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS_BEFORE_1970 = 719_162  # counted from 1 January of year 1
_SIGNATURE_BYTES = 65


@dataclass(frozen=True, slots=True)
class SignIn:
    """A parsed header. Times are the RFC 3339 texts that were signed; see ``seconds_of``.

    ``address_text`` is the address as the client spelled it, for the spelling is signed too.
    """

    domain: str
    address: Address
    address_text: str
    uri: str
    network: Network
    nonce: str
    issued_at: str
    signature: bytes = field(repr=False)
    statement: str | None = None
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None


def parse_sign_in(value: str) -> SignIn:
    """Parse the value of a SIGN-IN-WITH-X header.

    Raises ``BadRequest``: as ``headers.decode``, or 400 ``malformed_sign_in`` naming the field.
    """
    message = headers.decode(value)
    if not isinstance(message, dict):
        raise _malformed("the message", "must be a JSON object")
    for name, only in (("version", "1"), ("type", "eip191")):
        if message.get(name) != only:
            raise _malformed(name, f'must be "{only}"')
    if message.get("signatureScheme") not in (None, "eip191"):
        raise _malformed("signatureScheme", 'must be "eip191": contract wallets are not served')
    try:
        address = Address.parse(message.get("address"))
        network = Network.parse(message.get("chainId"))
        signature = parse_hex(message.get("signature"), max_bytes=_SIGNATURE_BYTES)
    except ValueError as error:
        raise _malformed("address, chainId or signature", str(error)) from error
    if len(signature) != _SIGNATURE_BYTES:
        raise _malformed("signature", "must be 65 bytes")
    return SignIn(
        domain=_text(message, "domain", _DOMAIN),
        address=address,
        address_text=str(message["address"]),
        uri=_text(message, "uri", _URI),
        network=network,
        nonce=_text(message, "nonce", _NONCE),
        issued_at=_time(message, "issuedAt"),
        signature=signature,
        statement=_optional(message, "statement", _STATEMENT),
        expiration_time=_optional_time(message, "expirationTime"),
        not_before=_optional_time(message, "notBefore"),
        request_id=_optional(message, "requestId", _REQUEST_ID),
        resources=_resources(message),
    )


def message_of(sign_in: SignIn) -> str:
    """The EIP-4361 text that the wallet signed (hash it by EIP-191)."""
    lines = [
        f"{sign_in.domain} wants you to sign in with your Ethereum account:",
        sign_in.address_text,
        "",
    ]
    if sign_in.statement is not None:
        lines.append(sign_in.statement)
    lines += [
        "",
        f"URI: {sign_in.uri}",
        "Version: 1",
        f"Chain ID: {sign_in.network.chain_id}",
        f"Nonce: {sign_in.nonce}",
        f"Issued At: {sign_in.issued_at}",
    ]
    if sign_in.expiration_time is not None:
        lines.append(f"Expiration Time: {sign_in.expiration_time}")
    if sign_in.not_before is not None:
        lines.append(f"Not Before: {sign_in.not_before}")
    if sign_in.request_id is not None:
        lines.append(f"Request ID: {sign_in.request_id}")
    if sign_in.resources is not None:
        lines.append("Resources:")
        lines += [f"- {resource}" for resource in sign_in.resources]
    return "\n".join(lines)


def seconds_of(time: str) -> float:
    """Unix seconds of an RFC 3339 time with its offset. Raises ``ValueError``."""
    match = _TIME.fullmatch(time)
    if match is None:
        raise ValueError("must be an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups(default="0")[6:]
    if not (year and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        raise ValueError("must be a time that exists")
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS_IN_MONTH[month - 1] + (leap and month == 2):
        raise ValueError("must be a day that exists")
    if int(offset_hours) >= 24 or int(offset_minutes) >= 60:
        raise ValueError("must have an offset within a day")
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - _DAYS_BEFORE_1970
    days += _DAYS_BEFORE_MONTH[month - 1] + (leap and month > 2) + day - 1
    offset = (int(offset_hours) * 60 + int(offset_minutes)) * 60 * (-1 if sign == "-" else 1)
    return days * 86_400 + hour * 3600 + minute * 60 + second - offset + float("0" + fraction)


def _text(message: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = message.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise _malformed(name, "must be a string in the form of EIP-4361")
    return value


def _time(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    try:
        seconds_of(value if isinstance(value, str) else "")
    except ValueError as error:
        raise _malformed(name, "must be an RFC 3339 time with an offset") from error
    return str(value)


def _optional(message: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str | None:
    return None if message.get(name) is None else _text(message, name, form)


def _optional_time(message: Mapping[str, Any], name: str) -> str | None:
    return None if message.get(name) is None else _time(message, name)


def _resources(message: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = message.get("resources")
    if value is None:
        return None
    if not isinstance(value, list):
        raise _malformed("resources", "must be a list of URIs")
    if not all(isinstance(item, str) and _URI.fullmatch(item) for item in value):
        raise _malformed("resources", "must be a list of URIs")
    return tuple(value)


def _malformed(name: str, why: str) -> BadRequest:
    return BadRequest(400, "malformed_sign_in", f"In SIGN-IN-WITH-X, {name} {why}.")
