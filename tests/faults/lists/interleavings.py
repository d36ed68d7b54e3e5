"""What only the order of two requests' effects can bring to light."""

from tests.faults.sabotage import Sabotage

_TWO = "tests/interleavings/test_schedules.py::test_a36_every_schedule_of_two_keeps_every_promise"
_LONG = "tests/interleavings/test_schedules.py::test_a36_every_schedule_of_two_longer_ones_keeps_every_promise"

_MACHINE = (
    "tests/interleavings/test_machine.py::test_whatever_happens_everything_ends_and_the_promises_hold[authorization]"
)

SABOTAGES = (
    Sabotage(
        "two requests at once pass over one balance",
        "ledger/payers.py",
        "#open < :most AND open_value <= :room",
        "#open < :most AND :room >= :room",
        _TWO + "[OneBalance]",
    ),
    Sabotage(
        "of two copies of a payment both are claimed",
        "ledger/payments.py",
        "[Put(claim_item(claim)), enter(claim, within)",
        "[Put(claim_item(claim), None), enter(claim, within)",
        _TWO + "[SamePayment]",
    ),
    Sabotage(
        "a second payment at the same moment as the first one's resend is claimed",
        "ledger/payers.py",
        '"attribute_not_exists(pk) OR payment = :me OR (attribute_exists(given) AND given <> :me)"',
        '"attribute_not_exists(pk) OR payment = :me OR attribute_exists(payment)"',
        _LONG + "[SecondPayment]",
    ),
    Sabotage(
        "in any order: anyone with the header gets the body",
        "gateway/admission.py",
        "    return None\n\n\ndef _signed_by_payer",
        "    return Proof.IDENTIFIER\n\n\ndef _signed_by_payer",
        _MACHINE,
    ),
    Sabotage(
        "in any order: revenue is counted beside the books",
        "ledger/books.py",
        "revenue = self._revenue(payment, 1)",
        "revenue = self._revenue(payment, 0); self._table.write(self._revenue(payment, 1))",
        _MACHINE,
    ),
)
