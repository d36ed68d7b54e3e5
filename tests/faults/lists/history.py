"""The history that an operator reads."""

from tests.faults.sabotage import Sabotage

SABOTAGES = (
    Sabotage(
        "a move leaves no trace in the payment's history",
        "ledger/moves.py",
        'sets = ["#state = :target", appended(names, values, Move(target.value, now, detail))]',
        'sets = ["#state = :target"]',
        "tests/contract/ledger/test_payments.py::test_a_payment_keeps_its_whole_history",
    ),
)
