"""One-line sabotages of the guarantees, each with the test that must catch it.

A sabotage that survives means that a promise has no test. ``old`` must stand exactly once in ``file``
(below layers/tollgate/tollgate), so that a sabotage cannot rot silently when the line changes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sabotage:
    """Replace ``old`` by ``new`` in ``file``: ``test`` must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


_PAID = "tests/contract/gateway/test_paid_call.py::"
_UNKNOWN = "tests/contract/gateway/test_unknown_outcomes.py::"
_LEDGER = "tests/contract/ledger/test_payments.py::"
_SETTLE = "tests/contract/facilitator/"
_ANSWERS = "tests/unit/edge/test_answers.py::"

SABOTAGES = (
    Sabotage(
        "the claim overwrites what stands there",
        "ledger/payments.py",
        "writes: list[Write] = [Put(claim_item(claim))]",
        "writes: list[Write] = [Put(claim_item(claim), None)]",
        _UNKNOWN + "test_a36_parallel_replays_run_the_upstream_once",
    ),
    Sabotage(
        "the signature is not checked before the claim",
        "schemes/exact/eip3009.py",
        "if signer != a.from_:",
        "if False:",
        _PAID + "test_a40_a_forged_signature_claims_nothing",
    ),
    Sabotage(
        "exact means at least",
        "payment/terms.py",
        "if authorization.value != requirements.amount:",
        "if authorization.value < requirements.amount:",
        _PAID + "test_exact_means_equal_not_at_least",
    ),
    Sabotage(
        "a used nonce is no reason to refuse",
        "gateway/examine.py",
        "if check.nonce_used:",
        "if False:",
        _UNKNOWN + "test_a113_a_strangers_settled_payment_is_nobodys_second_purchase",
    ),
    Sabotage(
        "anyone with the header gets the body",
        "gateway/admission.py",
        "    return None\n\n\ndef _signed_by_payer",
        "    return Proof.IDENTIFIER\n\n\ndef _signed_by_payer",
        _UNKNOWN + "test_a112_a_header_rebuilt_from_the_chain_gets_409_and_no_body",
    ),
    Sabotage(
        "the body leaves although a stranger's transaction settled it",
        "gateway/deliver.py",
        "Proof.OWNER if owner and payment.ours else",
        "Proof.OWNER if owner else",
        _UNKNOWN + "test_a51_somebody_else_submits_a_payment_that_we_claimed",
    ),
    Sabotage(
        "an unknown outcome carries an offer",
        "edge/answers.py",
        "Kind.PENDING: Row(503, payment_response=True, retry_after=True),",
        "Kind.PENDING: Row(402, offer=True, payment_response=True),",
        _ANSWERS + "test_a78_no_unknown_outcome_carries_an_offer",
    ),
    Sabotage(
        "the answer is released before settlement is known",
        "gateway/known.py",
        "            case State.SETTLING | State.REVERSED:\n",
        "            case State.SETTLING | State.REVERSED if answer is not None:\n"
        "                return Outcome(Kind.SERVED, answer=answer)\n"
        "            case State.SETTLING | State.REVERSED:\n",
        _UNKNOWN + "test_a54_a_settlement_that_outlasts_the_request_is_503_without_an_offer",
    ),
    Sabotage(
        "a known payment is refused when the check fails",
        "gateway/paid_call.py",
        "return self._look_up(call) or self._chain_down(call, down)",
        "return self._chain_down(call, down)",
        _UNKNOWN + "test_a_served_payment_is_served_again_while_the_rpc_is_down",
    ),
    Sabotage(
        "revenue is counted outside the books' condition",
        "ledger/books.py",
        "self._table.transact([update, receipt, self._log_row(payment, proof), self._revenue(payment, 1)])",
        "self._table.write(self._revenue(payment, 1)); "
        "self._table.transact([update, receipt, self._log_row(payment, proof)])",
        _LEDGER + "test_a96_settled_receipt_log_row_and_revenue_happen_once",
    ),
    Sabotage(
        "one log pays many payments",
        "ledger/books.py",
        'return Put({"pk": key, "payment": payment.id.digest})',
        'return Put({"pk": key, "payment": payment.id.digest}, None)',
        _LEDGER + "test_a114_one_log_pays_one_payment",
    ),
    Sabotage(
        "a slow owner may hold after its claim was released",
        "ledger/moves.py",
        'conditions = ["#state = :source", "#fence = :fence"]',
        'conditions = ["#fence = :fence"]',
        _LEDGER + "test_a42_a_slow_owner_cannot_hold_after_its_claim_was_released",
    ),
    Sabotage(
        "a live lease is released",
        "ledger/payments.py",
        'require={"lease_until": ("<", now)} if debt else {"owner": ("=", claim.owner)},',
        'require={} if debt else {"owner": ("=", claim.owner)},',
        _LEDGER + "test_a_live_lease_is_never_released_by_others",
    ),
    Sabotage(
        "TTL decides when an answer ends",
        "ledger/payments.py",
        'if item is None or item["expires_at"] <= now:',
        "if item is None:",
        _LEDGER + "test_a_kept_answer_ends_with_its_retention_whatever_ttl_does",
    ),
    Sabotage(
        "an identifier is shared by payments",
        "ledger/payments.py",
        '"attribute_not_exists(pk) OR (payment = :payment AND fingerprint = :fingerprint)"',
        '"attribute_not_exists(pk) OR payment <> :fingerprint OR fingerprint <> :payment"',
        _PAID + "test_a27_a_new_payment_under_a_used_identifier_is_409_and_not_charged",
    ),
    Sabotage(
        "the fingerprint forgets the body",
        "payment/fingerprint.py",
        "hashlib.sha256(body).digest(),",
        'hashlib.sha256(b"").digest(),',
        _PAID + "test_a22_another_body_is_another_request",
    ),
    Sabotage(
        "an upstream error is charged",
        "gateway/run_upstream.py",
        "if answer.status >= 400:",
        "if answer.status >= 600:",
        _PAID + "test_a82_an_upstream_error_is_passed_through_and_not_charged",
    ),
    Sabotage(
        "a fresh signature works twice",
        "gateway/deliver.py",
        "return fresh is not None and self.parts.resends.use_signature(",
        "return fresh is not None and True or self.parts.resends.use_signature(",
        _UNKNOWN + "test_a51_somebody_else_submits_a_payment_that_we_claimed",
    ),
    Sabotage(
        "waiting has no bound",
        "ledger/resends.py",
        "WAITERS = 3",
        "WAITERS = 9",
        _LEDGER + "test_a116_three_wait_and_a_dead_waiter_makes_room",
    ),
    Sabotage(
        "amounts are read by int()",
        "wire/primitives.py",
        "if not isinstance(text, str) or _ATOMIC.fullmatch(text) is None:",
        "if not isinstance(text, str):",
        "tests/attacks/test_wire.py",
    ),
    Sabotage(
        "a stale memory of the counter reserves a nonce",
        "ledger/settlements.py",
        '"attribute_not_exists(pk)" if stored is None else "#next = :stored",',
        '"attribute_not_exists(pk)" if stored is None else "#next >= :stored",',
        _SETTLE + "test_settlements_ledger.py::test_a_stale_memory_of_the_counter_costs_one_more_attempt_and_no_nonce",
    ),
    Sabotage(
        "the last stored bytes win",
        "ledger/settlements.py",
        "            return _standing(lost)\n\n    def conclude",
        "            return Settlement(\n"
        "                settlement.request, SettlementState.SIGNED, slot, settlement.owner, 0, raw, transaction\n"
        "            )\n\n    def conclude",
        _SETTLE + "test_settlements_ledger.py::test_the_first_stored_bytes_win",
    ),
    Sabotage(
        "a live reservation is taken from its owner",
        "facilitator/settle.py",
        "if known.alive(self._clock()):",
        "if False:",
        _SETTLE + "test_settlements_crashes.py::test_a_live_reservation_is_left_to_its_owner",
    ),
    Sabotage(
        "a later nonce does not care for the lower ones",
        "facilitator/delivery.py",
        "if chain_nonce < slot.nonce:",
        "if False:",
        _SETTLE + "test_settlements_crashes.py::test_a67_a_dead_reservation_does_not_block_a_later_payment",
    ),
    Sabotage(
        "a revert is taken for a failure",
        "facilitator/verdicts.py",
        "if use.finalised_past_deadline:",
        "if True:",
        _SETTLE
        + "test_settlements_settle.py::test_a47_a_payment_drained_under_our_transaction_is_pending_then_expires",
    ),
    Sabotage(
        "the proof need not follow its use directly",
        "schemes/exact/eip3009.py",
        "log = at.get((used.transaction, used.log_index + 1))",
        "log = next((x for x in logs if x.topics == wanted and x.log_index > used.log_index), None)",
        "tests/unit/schemes/test_eip3009.py::test_a52_a55_anything_else_proves_nothing",
    ),
    Sabotage(
        "upstreams may have private addresses",
        "gateway/dialing.py",
        "if not all(self._allow_private or is_public_address(address) for address in addresses):",
        "if False:",
        "tests/attacks/test_upstream.py",
    ),
    Sabotage(
        "a dot segment is passed on",
        "gateway/canonical_path.py",
        'if any(segment in (".", "..") for segment in path.split("/")):',
        "if False:",
        "tests/unit/gateway/test_canonical_path.py",
    ),
    Sabotage(
        "a payment for another resource is accepted",
        "gateway/examine.py",
        "        self._check_resource(call)\n",
        "",
        _PAID + "test_a17_a_sibling_at_the_same_price_is_another_resource",
    ),
    Sabotage(
        "an authorization may live for ever",
        "payment/terms.py",
        "if authorization.valid_before > limit:",
        "if False:",
        _PAID + "test_a45_a_payment_that_lives_for_days_is_refused",
    ),
)
