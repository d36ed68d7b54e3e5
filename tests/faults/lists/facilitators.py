"""Remote facilitators: what they say is a hint, who is asked when, and whom a key is for."""

from tests.faults.sabotage import Sabotage

_SEVERAL = "tests/contract/facilitator/test_remote_several.py::"
_HOSTILE = "tests/contract/facilitator/test_remote_hostile.py::"
_REMOTE = "tests/unit/facilitator/test_remote.py::"
_TURNS = "tests/unit/facilitator/test_remote_turns.py::"

SABOTAGES = (
    Sabotage(
        "the next facilitator is asked while the first may be at work",
        "facilitator/remote_turns.py",
        "if now < case.held_at + HOLD_SECONDS:",
        "if False:",
        _TURNS + "test_one_that_may_be_at_work_keeps_the_payment_for_a_while",
    ),
    Sabotage(
        "an answer that cannot be read counts as a refusal",
        "facilitator/remote_one.py",
        "asked = Asked(Said(False, None, str(none)), none.reach)",
        "asked = Asked(Said(False, None, str(none)), Reach.REFUSED)",
        _SEVERAL + "test_one_that_may_be_at_work_is_left_alone_with_it",
    ),
    Sabotage(
        "a success that the chain does not show is taken to the next facilitator",
        "facilitator/remote_one.py",
        "Asked(said, Reach.UNCLEAR if pending else Reach.REFUSED)",
        "Asked(said, Reach.REFUSED)",
        _SEVERAL + "test_one_that_may_be_at_work_is_left_alone_with_it",
    ),
    Sabotage(
        "a payer's own fault is taken to the next facilitator",
        "facilitator/remote.py",
        "return check is not None and check.would_succeed and not check.nonce_used",
        "return True",
        _SEVERAL + "test_a_refusal_that_is_the_payers_own_fault_is_taken_to_nobody",
    ),
    Sabotage(
        "one payer can get a facilitator skipped",
        "facilitator/remote_turns.py",
        "len(payers) >= PAYERS",
        "True",
        _TURNS + "test_no_single_payer_gets_a_facilitator_skipped",
    ),
    Sabotage(
        "a facilitator that keeps refusing stays in the offers",
        "facilitator/remote.py",
        "False if self._turns.skipped(index, network) else listed",
        "listed",
        _SEVERAL + "test_when_all_keep_refusing_the_network_leaves_the_offers_and_comes_back",
    ),
    Sabotage(
        "the key of one facilitator is sent to all of them",
        "facilitator/remote_http.py",
        "elif isinstance(held, dict) and held and not alone:",
        "elif False:",
        _REMOTE + "test_a_key_of_one_facilitator_is_never_sent_to_another",
    ),
    Sabotage(
        "a facilitator that refuses is asked again at once",
        "facilitator/remote_turns.py",
        "if index not in tried and now >= free_at:",
        "if index not in tried:",
        _SEVERAL + "test_one_that_is_asked_again_and_again_is_given_a_rest",
    ),
    Sabotage(
        "the second facilitator's transaction is a stranger's",
        "facilitator/remote.py",
        "for one in self._facilitators:\n            theirs",
        "for one in self._facilitators[:1]:\n            theirs",
        _SEVERAL + "test_the_second_is_known_by_its_signers_too",
    ),
)
