"""What the crash enumeration and the repeated writes hold."""

from tests.faults.sabotage import Sabotage

_OWN = "tests/contract/ledger/test_own_success.py::"

SABOTAGES = (
    Sabotage(
        "a fresh signature whose write is repeated is its own replay",
        "ledger/resends.py",
        "return lost.item is not None and lost.item.get(name) == by",
        "return False",
        _OWN + "test_a41_a_fresh_signature_is_not_its_own_replay",
    ),
    Sabotage(
        "who took over does not know it when the write is repeated",
        "ledger/payments.py",
        'return lost.item is not None and lost.item["owner"] == owner',
        "return False",
        _OWN + "test_a41_who_takes_over_knows_it",
    ),
    Sabotage(
        "a pass takes its own repeated write for another pass",
        "ledger/work.py",
        'if lost.item is None or lost.item.get("begun_by") != by:',
        "if True:",
        _OWN + "test_a41_a_pass_of_reconcile_knows_what_it_began",
    ),
)
