"""Sabotages of the upfront flow: settle first, run once, owe back what is not delivered."""

from tests.faults.sabotage import Sabotage

_TESTS = "tests/contract/gateway/test_upfront.py::"
_RESULTS = "tests/contract/gateway/test_results.py::"
_CRASHES = "tests/contract/gateway/test_upfront_crashes.py::"

SABOTAGES = (
    Sabotage(
        "settled first: the upstream runs before the payment is settled",
        "gateway/paid_call.py",
        "if examined.flow is Flow.UPFRONT else self._execute(call, payment)",
        "if examined.flow is None else self._execute(call, payment)",
        _TESTS + "test_it_is_settled_before_the_upstream_runs_and_served_with_its_receipt",
    ),
    Sabotage(
        "settled first: the run is not its owner's alone",
        "ledger/upfront.py",
        'set_={"ran_at": now, "due": payment.claim.lease_until + 1},\n            require={"owner": ("=", owner)},',
        'set_={"ran_at": now, "due": payment.claim.lease_until + 1},\n            require={},',
        _CRASHES + "test_a_settled_payment_of_a_living_owner_is_not_run_by_another",
    ),
    Sabotage(
        "settled first: the run of a living owner is taken over",
        "ledger/upfront.py",
        '"due": lease_until + 1},\n            require={"lease_until": ("<", now)},\n            raise_fence=True,',
        '"due": lease_until + 1},\n            require={},\n            raise_fence=True,',
        _CRASHES + "test_a_settled_payment_of_a_living_owner_is_not_run_by_another",
    ),
    Sabotage(
        "settled first: somebody else's run counts as one's own",
        "ledger/upfront.py",
        "current.state is not state or current.claim.owner != owner:",
        "current.state is not state:",
        _CRASHES + "test_a_run_that_was_taken_over_is_not_run_by_its_first_owner",
    ),
    Sabotage(
        "settled first: a dead run is nobody's to end",
        "gateway/known.py",
        "if payment.state is State.EXECUTING_PAID and not payment.alive(now):",
        "if False:",
        _CRASHES + "test_a_crash_at_any_write_is_served_or_owed_to_the_resend",
    ),
    Sabotage(
        "settled first: it runs again after a reorganisation",
        "payment/record.py",
        "return self.served_at is not None or self.refund_why is not None or self.ran_at is not None",
        "return False",
        _CRASHES + "test_a57_after_a_reorganisation_it_ends_as_before_and_is_never_run_twice",
    ),
    Sabotage(
        "settled first: REFUND_DUE without its row",
        "ledger/upfront.py",
        "State.REFUND_DUE, [update, owed],",
        "State.REFUND_DUE, [update],",
        _TESTS + "test_a82_an_upstream_that_fails_after_the_payment_is_owed_back",
    ),
    Sabotage(
        "settled first: REFUND_DUE carries an offer",
        "edge/answers.py",
        "Kind.REFUND_DUE: Row(502, payment_response=True),",
        "Kind.REFUND_DUE: Row(502, payment_response=True, offer=True),",
        "tests/unit/edge/test_answers.py::test_a78_no_unknown_outcome_carries_an_offer",
    ),
    Sabotage(
        "settled first: anybody may have it run",
        "gateway/paid_run.py",
        "if not proven and self.deliver.proof(call, payment) is None:",
        "if False:",
        _TESTS + "test_a_payment_that_somebody_else_submitted_is_served_to_a_fresh_signature_only",
    ),
    Sabotage(
        "settled first: owed back while the buyer may still come for it",
        "reconcile/upfront.py",
        "if payment.alive(now) or now <= window_ends:",
        "if payment.alive(now):",
        _TESTS + "test_what_nobody_came_for_is_owed_back_after_the_window_and_not_before",
    ),
    Sabotage(
        "settled first: an answer without its move",
        "ledger/upfront.py",
        "return self._ended(payment, State.FULFILLED, [update, stored],",
        "return self._ended(payment, State.FULFILLED, [stored],",
        _TESTS + "test_it_is_settled_before_the_upstream_runs_and_served_with_its_receipt",
    ),
    Sabotage(
        "settled first: a claim that nobody settled leaves a debt",
        "ledger/payments.py",
        "strike(payment, now)] if ran else leave(payment)",
        "strike(payment, now)]",
        _TESTS + "test_one_that_is_proven_unpaid_leaves_no_debt",
    ),
    Sabotage(
        "settled first: the other flow is charged first too",
        "payment/terms.py",
        "return Flow(requirements.extra.get(PAYMENT_FLOW, Flow.AUTHORIZATION))",
        "return Flow.UPFRONT",
        _TESTS + "test_an_offer_without_the_flow_stays_what_it_was_when_the_route_changes",
    ),
    Sabotage(
        "results: any token will do",
        "ledger/results.py",
        'return f"RES#{hashlib.sha256(token.encode()).hexdigest()}"',
        'return "RES#"',
        _RESULTS + "test_a_link_that_nobody_was_given_leads_nowhere",
    ),
    Sabotage(
        "results: a link to wherever the upstream says",
        "gateway/result_links.py",
        "return (url, split.query) if same else None",
        "return (url, split.query)",
        _RESULTS + "test_a87_a_location_elsewhere_is_never_fetched_by_us",
    ),
    Sabotage(
        "results: fetched although the payment is not settled",
        "gateway/results.py",
        "if payment is None or payment.state not in _SETTLED:",
        "if payment is None:",
        _RESULTS + "test_a_link_opens_nothing_while_its_payment_is_not_settled",
    ),
)
