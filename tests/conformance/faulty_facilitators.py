"""Facilitators that are right but for one thing, by the check that must notice it."""

from typing import Any

from tests.conformance.facilitator import Message
from tests.conformance.reference_facilitator import Record, ReferenceFacilitator, Wrong

ADVERTISED_ONLY = "eip155:424242"


class OpenOnMalformed(ReferenceFacilitator):
    """What it cannot read is valid."""

    def verify(self, payment: Any, requirements: Message) -> Message:
        try:
            self.read(payment)
        except Wrong:
            return {"isValid": True}
        return super().verify(payment, requirements)


class LenientAmounts(ReferenceFacilitator):
    """Python's int()."""

    def amount(self, text: Any) -> int | None:
        try:
            return int(text)
        except (TypeError, ValueError):
            return None


class AcceptsDust(ReferenceFacilitator):
    """Any amount will do."""

    def check_paid(self, paid: int, required: int) -> None:
        pass


class KeepsNoRecord(ReferenceFacilitator):
    """Every call is the first."""

    def remember(self, payment: Any, record: Record) -> None:
        pass


class KeysByTransaction(ReferenceFacilitator):
    """A used nonce in another authorization is news to it."""

    def key(self, payment: Any) -> tuple[str, str]:
        return str(payment["payload"]["signature"]), ""

    def check_unused(self, authorization: Message) -> None:
        pass


class SuccessBeforeItIsMined(ReferenceFacilitator):
    """A broadcast is a payment."""

    def pending(self, record: Record) -> Message:
        return {"success": True, "transaction": record.transaction, "network": record.requirements["network"]}


class PendingWithoutTransaction(ReferenceFacilitator):
    """Nothing to look the payment up by."""

    def pending(self, record: Record) -> Message:
        return {"success": False, "errorReason": "settlement_pending"}


class BurnsOnPending(ReferenceFacilitator):
    """Whoever asks again is told that it is a duplicate."""

    def settle(self, payment: Any, requirements: Message, *, other_seller: bool = False) -> Message:
        if self.known(payment) is not None:
            return self.failed("duplicate_settlement", requirements)
        return super().settle(payment, requirements, other_seller=other_seller)


class StuckPending(ReferenceFacilitator):
    """A failure is never seen."""

    def outcome(self, payment: Message, record: Record) -> Message:
        told = super().outcome(payment, record)
        return told if told["success"] else self.pending(record)


class TakesARevertForSuccess(ReferenceFacilitator):
    """A receipt is a payment, whatever is in it."""

    def proves(self, payment: Message, receipt: Message) -> bool:
        return True


class BindsToNothing(ReferenceFacilitator):
    """A payment is good for any requirements at its price; what was settled is valid once more."""

    def check_bound(self, payment: Message, requirements: Message) -> None:
        pass

    def check_unused(self, authorization: Message) -> None:
        pass


class VerifyCommits(ReferenceFacilitator):
    """To verify is to use up."""

    def verify(self, payment: Any, requirements: Message) -> Message:
        answer = super().verify(payment, requirements)
        if answer["isValid"]:
            self.remember(payment, Record(payment, {}, False, ""))
        return answer


class TrustsTheKind(ReferenceFacilitator):
    """Network and token are what the requirements say."""

    def check_kind(self, requirements: Message) -> None:
        pass

    def check_signature(self, payment: Message, authorization: Message, requirements: Message) -> None:
        pass


class TrustsTheSignedDomain(ReferenceFacilitator):
    """Whoever signed, for whichever token and chain."""

    def check_signature(self, payment: Message, authorization: Message, requirements: Message) -> None:
        pass


class AdvertisesUnhandled(ReferenceFacilitator):
    """/supported names a kind that /verify dies of."""

    def supported(self) -> Message:
        told = super().supported()
        told["kinds"].append({"x402Version": 2, "scheme": "exact", "network": ADVERTISED_ONLY})
        return told

    def verify(self, payment: Any, requirements: Message) -> Message:
        if requirements["network"] == ADVERTISED_ONLY:
            return self.unhandled()
        return super().verify(payment, requirements)

    def unhandled(self) -> Message:
        raise KeyError(ADVERTISED_ONLY)


class ReasonlessInvalid(AdvertisesUnhandled):
    """Or says no, and not why."""

    def unhandled(self) -> Message:
        return {"isValid": False}


FAULTY: dict[str, tuple[type[ReferenceFacilitator], ...]] = {
    "F1": (OpenOnMalformed, LenientAmounts),
    "F2": (AcceptsDust,),
    "F3": (KeepsNoRecord,),
    "F4": (KeysByTransaction,),
    "F5": (SuccessBeforeItIsMined, PendingWithoutTransaction),
    "F7": (BurnsOnPending, SuccessBeforeItIsMined),
    "F8": (StuckPending, TakesARevertForSuccess),
    "F10": (BindsToNothing,),
    "F11": (VerifyCommits,),
    "F12": (TrustsTheKind,),
    "F13": (TrustsTheSignedDomain,),
    "F14": (TrustsTheSignedDomain,),
    "S5": (AdvertisesUnhandled, ReasonlessInvalid),
}
