"""A fresh signature of the payer: proof of the wallet, for a body that a header alone does not get.

It travels as the standard sign-in-with-x header (CAIP-122, EIP-4361 text) and binds our domain, the
payment id (``requestId`` = ``PaymentId.digest``) and a nonce that works once; at most five minutes old.
"""

from dataclasses import dataclass
from typing import Any

from tollgate.errors import Refusal
from tollgate.payment.identity import PaymentId
from tollgate.schemes.eip191 import personal_digest
from tollgate.schemes.secp256k1 import recover_address
from tollgate.wire.reasons import Reason
from tollgate.wire.sign_in_with_x import SignIn, message_of, seconds_of

MAX_AGE_SECONDS = 300
CLOCK_SKEW_SECONDS = 30


@dataclass(frozen=True, slots=True)
class FreshSignature:
    """A parsed SIGN-IN-WITH-X, for the domain that it must bind."""

    sign_in: SignIn
    domain: str

    @property
    def nonce(self) -> str:
        """The nonce that works once."""
        return self.sign_in.nonce

    def check(self, id: PaymentId, now: int) -> None:
        """Signed by the payer, for this domain and payment, now. Raises ``Refusal``."""
        if not self.is_of(id):
            raise _refused("it names another payer or network")
        self.check_signed(id.digest, now)

    def is_of(self, id: PaymentId) -> bool:
        """Whether it names the payer of this payment, on its network; ``check_signed`` says whether that is true."""
        return self.sign_in.network == id.network and self.sign_in.address == id.payer

    def check_signed(self, digest: str, now: int) -> None:
        """Signed by whom it names, for this domain and the payment of that digest, now. Raises ``Refusal``.

        Says nothing about whether there is such a payment, or whose it is.
        """
        sign_in = self.sign_in
        if sign_in.domain != self.domain or sign_in.request_id != digest:
            raise _refused("it binds another domain or payment")
        issued_at = _unix(sign_in.issued_at)
        if not now - MAX_AGE_SECONDS <= issued_at <= now + CLOCK_SKEW_SECONDS:
            raise _refused("it is not fresh")
        if sign_in.expiration_time is not None and _unix(sign_in.expiration_time) <= now:
            raise _refused("it has expired")
        if sign_in.not_before is not None and _unix(sign_in.not_before) > now + CLOCK_SKEW_SECONDS:
            raise _refused("it is not valid yet")
        try:
            signer = recover_address(personal_digest(message_of(sign_in)), sign_in.signature)
        except ValueError as error:
            raise _refused("its signature does not verify") from error
        if signer != sign_in.address:
            raise _refused("somebody else signed it")


def how_to_sign(id: PaymentId, domain: str, uri: str) -> dict[str, Any]:
    """What a 409 tells the payer: the fields to sign and to send as SIGN-IN-WITH-X."""
    return {
        "header": "SIGN-IN-WITH-X",
        "domain": domain,
        "uri": uri,
        "version": "1",
        "chainId": str(id.network),
        "type": "eip191",
        "requestId": id.digest,
        "maxAgeSeconds": MAX_AGE_SECONDS,
    }


def how_to_sign_in(domain: str, uri: str, request_id: str | None) -> dict[str, Any]:
    """The same for what is no single payment's: the network is the wallet's own choice of ``chainId``."""
    how: dict[str, Any] = {
        "header": "SIGN-IN-WITH-X",
        "domain": domain,
        "uri": uri,
        "version": "1",
        "type": "eip191",
        "maxAgeSeconds": MAX_AGE_SECONDS,
    }
    return how if request_id is None else {**how, "requestId": request_id}


def _unix(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise _refused("its time cannot be read") from error


def _refused(why: str) -> Refusal:
    return Refusal(Reason.SIGNATURE, f"The fresh signature is not accepted: {why}.")
