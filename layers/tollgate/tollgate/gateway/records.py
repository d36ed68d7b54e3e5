"""Records for payers: how a payment stands, and its signed receipt; for the payer, and for nobody else.

Whoever asks shows a fresh signature (sign-in-with-x, requestId = the payment's id), which is checked before anything
is read. Nothing is written: the signature is not used up, it opens the same thing for the five minutes that it lives.
A stranger's payment and one that does not exist get one and the same answer (threat 102).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tollgate.errors import BadRequest, ChainUnavailable, Refusal
from tollgate.gateway.fresh_signature import FreshSignature, how_to_sign_in
from tollgate.gateway.payment_view import receipted, view, word_of
from tollgate.gateway.ports import Clock
from tollgate.gateway.receipt_issuer import ReceiptIssuer
from tollgate.gateway.still_paid import ReceiptChain, still_paid
from tollgate.payment.events import Event, Journal
from tollgate.payment.record import Payment
from tollgate.wire.primitives import Bytes32, Network
from tollgate.wire.sign_in_with_x import parse_sign_in

PAYMENTS_PATH = "/x402/payments/"
RECEIPTS_PATH = "/x402/receipts/"
DID_PATH = "/x402/did.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")


class RecordRefused(BadRequest):
    """``details`` say what to do; ``retry_after`` is seconds, for what may pass."""

    def __init__(
        self, status: int, code: str, sentence: str, details: Mapping[str, Any], retry_after: int | None = None
    ) -> None:
        super().__init__(status, code, sentence)
        self.details = details
        self.retry_after = retry_after


class PaymentReader(Protocol):
    """The seller's ledger, read only."""

    def get_by_digest(self, digest: str) -> Payment | None:
        """Read one payment, consistently."""


class ReceiptChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> ReceiptChain | None:
        """The chain of a network. Raises ``ChainUnavailable``."""


@dataclass(frozen=True, slots=True)
class Records:
    """The use case. ``base_url`` has no trailing slash, ``domain`` is its host, which signatures bind."""

    payments: PaymentReader
    chains: ReceiptChains
    issuer: ReceiptIssuer
    base_url: str
    domain: str
    clock: Clock
    journal: Journal

    def payment(self, id: str, sign_in: str | None) -> dict[str, Any]:
        """How the payment with this id stands. Raises ``BadRequest``."""
        uri = f"{self.base_url}{PAYMENTS_PATH}{id}" if _DIGEST.fullmatch(id) else f"{self.base_url}{PAYMENTS_PATH}"
        found = self._of_payer(sign_in, uri, id)
        self.journal.record(Event.RECORD_READ, payment=found.id.digest, state=found.state.value)
        return view(found)

    def receipt(self, transaction: str, sign_in: str | None, *, check: bool) -> dict[str, Any]:
        """The signed receipt of the payment that this transaction settled; ``check``: if the chain still shows it.

        Raises ``BadRequest``: as ``payment``, 409 ``no_receipt``, 503 ``chain_unavailable``.
        """
        found = self._of_payer(sign_in, f"{self.base_url}{RECEIPTS_PATH}{_transaction(transaction)}", None)
        if found.transaction is None or str(found.transaction) != transaction.lower():
            raise self._unknown(f"{self.base_url}{RECEIPTS_PATH}{_transaction(transaction)}", None)
        return self.receipt_of(found, check=check)

    def receipt_of(self, payment: Payment, *, check: bool) -> dict[str, Any]:
        """The signed receipt of a payment, for somebody who may have it. Raises ``RecordRefused`` 409, 503."""
        if not receipted(payment):
            raise _no_receipt(payment)
        chain = self._still_paid(payment) if check else None
        now = int(self.clock())
        issued = {
            "payment": payment.id.digest,
            "network": str(payment.id.network),
            "transaction": str(payment.transaction),
            "signer": str(self.issuer.key.address()),
            "kid": self.issuer.kid,
            "receipts": self.issuer.issue(payment, now),
        }
        self.journal.record(Event.RECEIPT_ISSUED, payment=payment.id.digest, transaction=str(payment.transaction))
        return issued if chain is None else {**issued, "chain": {**chain, "checkedAt": now}}

    def _still_paid(self, payment: Payment) -> dict[str, Any]:
        network = payment.id.network
        try:
            chain = still_paid(self.chains.get(network), payment)
        except ChainUnavailable as down:
            self.journal.record(Event.CHAIN_UNAVAILABLE, network=str(network), payment=payment.id.digest)
            sentence = "The chain cannot be asked at the moment, so nothing is said about it. Ask again."
            raise RecordRefused(503, "chain_unavailable", sentence, {"payment": payment.id.digest}, 2) from down
        if not chain["stands"]:
            raise _no_receipt(payment, chain)
        return chain

    def _of_payer(self, header: str | None, uri: str, digest: str | None) -> Payment:
        """The payment that the signature binds, which is the one of ``digest`` where that is given."""
        if header is None:
            raise self._unknown(uri, digest)
        fresh = FreshSignature(parse_sign_in(header), self.domain)
        bound = (fresh.sign_in.request_id or "") if digest is None else digest
        try:
            fresh.check_signed(bound, int(self.clock()))
        except Refusal as refused:
            raise RecordRefused(403, "sign_in_refused", refused.sentence, self._hint(uri, digest)) from refused
        found = self.payments.get_by_digest(bound) if _DIGEST.fullmatch(bound) else None
        if found is None or not fresh.is_of(found.id):
            raise self._unknown(uri, digest)
        return found

    def _unknown(self, uri: str, digest: str | None) -> RecordRefused:
        return RecordRefused(
            404,
            "unknown_payment",
            "There is no such payment of yours. Its payer signs in as details.signIn says, with the payment's network"
            " as chainId and the payment's id (64 hex digits) as requestId.",
            self._hint(uri, digest),
        )

    def _hint(self, uri: str, digest: str | None) -> dict[str, Any]:
        named = digest if digest is not None and _DIGEST.fullmatch(digest) else None
        return {"signIn": how_to_sign_in(self.domain, uri, named)}


def _transaction(text: str) -> str:
    """A transaction's hash as it is echoed; what is none is not."""
    try:
        return str(Bytes32.parse(text))
    except ValueError:
        return ""


def _no_receipt(payment: Payment, chain: Mapping[str, Any] | None = None) -> RecordRefused:
    state, sentence = word_of(payment)
    details = {"payment": payment.id.digest, "state": state}
    if chain is not None:
        gone = f"There is no receipt: {chain['why']}."
        return RecordRefused(409, "no_receipt", gone, {**details, "chain": dict(chain)})
    return RecordRefused(409, "no_receipt", f"There is no receipt of this payment. {sentence}", details)
