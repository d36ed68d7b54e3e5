"""The control: a small correct facilitator on a real chain. It shares no code with Tollgate."""

import re
import threading
import time
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from local.chain import Chain, calldata
from tests.conformance.facilitator import Message, chain_time, pending_count, send
from tests.support.buyer import _TYPES, TRANSFER, sign, transfer_arguments

PAY_TO = "0x5D5d5d5d5d5D5D5d5D5D5d5d5d5d5D5D5d5d5d5D"
_USED = "0x" + keccak(text="AuthorizationUsed(address,bytes32)").hex()


class Wrong(Exception):
    """Why a payment is not valid; the text is the reason code."""


@dataclass
class Record:
    """A settlement that was begun."""

    payment: Message
    requirements: Message
    other_seller: bool
    transaction: str


class ReferenceFacilitator:
    """See facilitator.Settling. Each method that a faulty build replaces does one thing."""

    patience = 1.5

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.account: LocalAccount = Account.create()
        chain.give_gas(self.account.address)
        self.records: dict[tuple[str, str], Record] = {}
        self._lock = threading.Lock()

    def requirements(self, **changes: Any) -> Message:
        """To one address, a cent."""
        return {
            "scheme": "exact",
            "network": str(self.chain.info.network),
            "amount": "10000",
            "asset": self.chain.token,
            "payTo": PAY_TO,
            "maxTimeoutSeconds": 60,
            "extra": {"name": "USDC", "version": "2"},
        } | changes

    def payment(self, requirements: Message, buyer: LocalAccount | None = None, **signed: Any) -> Message:
        """By the chain's clock."""
        required = {"accepts": [requirements], "resource": {"url": "https://shop.example/tea"}}
        return sign(buyer or self.chain.funded_account(), required, now=chain_time(self.chain), **signed)

    def supported(self) -> Message:
        """What ``wrong`` lets through."""
        kind = {"x402Version": 2, "scheme": "exact", "network": str(self.chain.info.network)}
        return {"kinds": [kind], "extensions": [], "signers": {"eip155:*": [self.account.address]}}

    def verify(self, payment: Any, requirements: Message) -> Message:
        """Without leaving a trace."""
        try:
            self.check(payment, requirements)
        except Wrong as wrong:
            return {"isValid": False, "invalidReason": str(wrong)}
        return {"isValid": True, "payer": payment["payload"]["authorization"]["from"]}

    def settle(self, payment: Any, requirements: Message, *, other_seller: bool = False) -> Message:
        """Once; the same seller on the same terms is told the same again."""
        with self._lock:
            known = self.known(payment)
            if known is None:
                try:
                    self.check(payment, requirements)
                except Wrong as wrong:
                    return self.failed(str(wrong), requirements)
                known = Record(payment, requirements, other_seller, self.broadcast(payment))
                self.remember(payment, known)
            elif (known.payment, known.requirements, known.other_seller) != (payment, requirements, other_seller):
                return self.failed("duplicate_settlement", requirements)
        return self.outcome(payment, known)

    # One step each.

    def check(self, payment: Any, requirements: Message) -> None:
        """Everything that can be known before. Raises ``Wrong``."""
        authorization = self.read(payment)
        self.check_kind(requirements)
        self.check_terms(payment, authorization, requirements)
        self.check_signature(payment, authorization, requirements)
        self.check_unused(authorization)

    def read(self, payment: Any) -> Message:
        """The authorization."""
        try:
            authorization = payment["payload"]["authorization"]
            if not all(isinstance(authorization[name], str) for name in ("from", "to", "value", "nonce")):
                raise Wrong("invalid_payload")
            bytes.fromhex(payment["payload"]["signature"][2:])
        except (KeyError, TypeError, ValueError) as error:
            raise Wrong("invalid_payload") from error
        return dict(authorization)

    def check_kind(self, requirements: Message) -> None:
        """Our network, and the token on it."""
        if requirements.get("network") != str(self.chain.info.network) or requirements.get("scheme") != "exact":
            raise Wrong("invalid_network")
        if requirements.get("asset") != self.chain.token:
            raise Wrong("invalid_payment_requirements")

    def check_terms(self, payment: Message, authorization: Message, requirements: Message) -> None:
        """Accepted is what is required, and signed is what was accepted."""
        self.check_bound(payment, requirements)
        required, paid = self.amount(requirements.get("amount")), self.amount(authorization["value"])
        if required is None or required == 0:
            raise Wrong("invalid_payment_requirements")
        if paid is None:
            raise Wrong("invalid_payload")
        self.check_paid(paid, required)
        if authorization["to"] != requirements["payTo"]:
            raise Wrong("recipient_mismatch")

    def check_bound(self, payment: Message, requirements: Message) -> None:
        """The payment was made for these requirements."""
        if payment.get("accepted") != requirements:
            raise Wrong("invalid_payment_requirements")

    def check_paid(self, paid: int, required: int) -> None:
        """``exact``."""
        if paid != required:
            raise Wrong("value_mismatch")

    def amount(self, text: Any) -> int | None:
        """Strictly: ASCII digits without anything around or before them."""
        return int(text) if isinstance(text, str) and re.fullmatch(r"0|[1-9][0-9]{0,77}", text) else None

    def domain(self, requirements: Message) -> Message:
        """Ours, whatever the requirements say."""
        return {
            "name": "USDC",
            "version": "2",
            "chainId": self.chain.info.network.chain_id,
            "verifyingContract": self.chain.token,
        }

    def check_signature(self, payment: Message, authorization: Message, requirements: Message) -> None:
        """The payer's."""
        numbers = {name: int(authorization[name]) for name in ("value", "validAfter", "validBefore")}
        nonce = bytes.fromhex(authorization["nonce"][2:])
        message = encode_typed_data(self.domain(requirements), _TYPES, {**authorization, **numbers, "nonce": nonce})
        try:
            signer = Account.recover_message(message, signature=payment["payload"]["signature"])
        except Exception as error:
            raise Wrong("invalid_signature") from error
        if signer != authorization["from"]:
            raise Wrong("invalid_signature")

    def check_unused(self, authorization: Message) -> None:
        """Neither on chain, nor in what we have begun."""
        if self.chain.nonce_used(authorization["from"], bytes.fromhex(authorization["nonce"][2:])):
            raise Wrong("nonce_already_used")

    def key(self, payment: Any) -> tuple[str, str]:
        """Which payment it is."""
        authorization = payment["payload"]["authorization"]
        return authorization["from"].lower(), authorization["nonce"].lower()

    def known(self, payment: Any) -> Record | None:
        """What was begun for it."""
        try:
            return self.records.get(self.key(payment))
        except (KeyError, TypeError, AttributeError):
            return None

    def remember(self, payment: Any, record: Record) -> None:
        """It is begun."""
        self.records[self.key(payment)] = record

    def broadcast(self, payment: Message) -> str:
        """The transaction's hash."""
        return send(self.chain, self.account, calldata(TRANSFER, *transfer_arguments(payment)))

    def outcome(self, payment: Message, record: Record) -> Message:
        """As the chain has it, within the time that there is."""
        receipt = self.receipt(record.transaction)
        if receipt is None:
            return self.pending(record)
        if not self.proves(payment, receipt):
            return self.failed("invalid_transaction_state", record.requirements, record.transaction)
        return {
            "success": True,
            "transaction": record.transaction,
            "network": record.requirements["network"],
            "payer": payment["payload"]["authorization"]["from"],
        }

    def receipt(self, transaction: str) -> Message | None:
        """Of the transaction, once it is mined."""
        deadline = time.monotonic() + self.patience
        while (found := self.chain.receipt(transaction)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def proves(self, payment: Message, receipt: Message) -> bool:
        """The token says that the authorization was used."""
        nonce = payment["payload"]["authorization"]["nonce"].lower()
        return any(log["topics"][0] == _USED and log["topics"][2] == nonce for log in receipt["logs"])

    def pending(self, record: Record) -> Message:
        """What nobody can know yet."""
        return self.failed("settlement_pending", record.requirements, record.transaction)

    def failed(self, reason: str, requirements: Message, transaction: str = "") -> Message:
        """No success."""
        return {
            "success": False,
            "errorReason": reason,
            "transaction": transaction,
            "network": requirements.get("network"),
        }

    def transactions(self) -> int:
        """Sent so far."""
        return pending_count(self.chain, self.account.address)
