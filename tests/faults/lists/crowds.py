"""What only a crowd shows."""

from tests.faults.sabotage import Sabotage

_TWO_HUNDRED = "tests/concurrency/test_two_hundred.py::"

SABOTAGES = (
    Sabotage(
        "whoever comes second takes the claim for its own",
        "ledger/payments.py",
        "if known.claim.owner == claim.owner:",
        "if known.claim.seller == claim.seller:",
        _TWO_HUNDRED + "test_a36_two_hundred_resends_at_once_are_one_run_one_transaction_and_two_hundred_truths",
    ),
)
