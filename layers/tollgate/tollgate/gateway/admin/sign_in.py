"""An owner's sign-in (EIP-4361, the header SIGN-IN-WITH-X): to read for five minutes, or for one change.

There is no session: a change is signed with what it changes, so whoever sees its header can do nothing else with it,
and its nonce is used up with the change. What is signed to read opens reads only.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate.errors import BadRequest, Refusal
from tollgate.gateway.fresh_signature import CLOCK_SKEW_SECONDS, MAX_AGE_SECONDS, FreshSignature
from tollgate.wire.primitives import Address
from tollgate.wire.reasons import Reason
from tollgate.wire.sign_in_with_x import parse_sign_in, seconds_of

# The requestId of a sign-in to read; never one of a change, nor a payment's id.
READ = "x402-admin-read"
_CHANGE = "x402-admin-change"
_BELOW = "/x402/admin/"


class AdminRefused(BadRequest):
    """``details`` say what to do; ``headers`` go with the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        details: Mapping[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(status, code, sentence)
        self.details: Mapping[str, Any] = {} if details is None else details
        self.headers = headers


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed. ``nonce`` is kept until ``until`` (Unix seconds) once it has made a change."""

    address: Address
    nonce: str = field(repr=False)
    until: int


def change_id(method: str, path: str, if_match: str, body: bytes) -> str:
    """The requestId of a change: 64 hex digits over everything that it says.

    SHA-256 of the lines ``x402-admin-change``, method, path, If-Match (or nothing) and the body's SHA-256 in hex,
    with a line feed between two.
    """
    lines = (_CHANGE, method, path, if_match, hashlib.sha256(body).hexdigest())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SignIns:
    """``domain`` is what signatures bind, ``base_url`` has no trailing slash."""

    base_url: str
    domain: str

    def check(self, header: str | None, path: str, request_id: str, now: int) -> SignedIn:
        """Who signed this request id, for this domain, now.

        Raises ``AdminRefused``: 401 without a header, 403; and ``BadRequest`` for one that cannot be read.
        """
        how = {"signIn": self._how(path, request_id)}
        if header is None:
            challenge = (("www-authenticate", "SIGN-IN-WITH-X"),)
            sentence = "Sign in with your wallet, as details.signIn says."
            raise AdminRefused(401, "sign_in_required", sentence, how, challenge)
        fresh = FreshSignature(parse_sign_in(header), self.domain)
        try:
            # Another stack may stand below another path of the same host: a domain does not tell them apart.
            if not fresh.sign_in.uri.startswith(f"{self.base_url}{_BELOW}"):
                raise Refusal(Reason.SIGNATURE, "The sign-in is not accepted: its uri is not this API's.")
            fresh.check_signed(request_id, now)
        except Refusal as refused:
            raise AdminRefused(403, "sign_in_refused", refused.sentence, how) from refused
        issued = math.ceil(seconds_of(fresh.sign_in.issued_at))
        # Longer than any clock here would still take it.
        until = issued + MAX_AGE_SECONDS + CLOCK_SKEW_SECONDS
        return SignedIn(fresh.sign_in.address, fresh.nonce, until)

    def _how(self, path: str, request_id: str) -> dict[str, Any]:
        return {
            "header": "SIGN-IN-WITH-X",
            "domain": self.domain,
            "uri": f"{self.base_url}{path}",
            "version": "1",
            "type": "eip191",
            "requestId": request_id,
            "maxAgeSeconds": MAX_AGE_SECONDS,
        }
