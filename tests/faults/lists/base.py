"""The guarantees of the first paid call: claim, proof, answers, books, and how others are spoken to."""

from tests.faults.sabotage import Sabotage

_PAID = "tests/contract/gateway/test_paid_call.py::"
_BIG = "tests/contract/gateway/test_big_answers.py::"
_UNKNOWN = "tests/contract/gateway/test_unknown_outcomes.py::"
_LEDGER = "tests/contract/ledger/test_payments.py::"
_SETTLE = "tests/contract/facilitator/"
_REMOTE = "tests/contract/facilitator/test_remote_hostile.py::"
_REMOTE_PAID = "tests/contract/facilitator/test_remote_gateway.py::"
_ANSWERS = "tests/unit/edge/test_answers.py::"
_V1 = "tests/contract/gateway/test_v1.py::"
_COUNTS = "tests/bench/test_counts.py::"
_NETWORKS = "tests/unit/payment/test_networks.py::"

SABOTAGES = (
    Sabotage(
        "the claim overwrites what stands there",
        "ledger/payments.py",
        "[Put(claim_item(claim)), enter(claim, within)",
        "[Put(claim_item(claim), None), enter(claim, within)",
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
        "revenue = self._revenue(payment, 1)",
        "revenue = self._revenue(payment, 0); self._table.write(self._revenue(payment, 1))",
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
        'require={"lease_until": ("<", now)} if debt or dead else {"owner": ("=", claim.owner)},',
        'require={} if debt or dead else {"owner": ("=", claim.owner)},',
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
        'condition = "#next = :stored"',
        'condition = "#next <> :stored OR #next = :stored"',
        _SETTLE + "test_settlements_ledger.py::test_a_stale_memory_of_the_counter_costs_one_more_attempt_and_no_nonce",
    ),
    Sabotage(
        "the last stored bytes win",
        "ledger/settlements.py",
        "            return _standing(lost.item)\n\n    def replace_bytes",
        "            return Settlement(\n"
        "                settlement.request, SettlementState.SIGNED, slot, settlement.owner, 0, signed\n"
        "            )\n\n    def replace_bytes",
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
        "chain/uses.py",
        "if self.finalised_past_deadline else None",
        "if True else None",
        _SETTLE
        + "test_settlements_settle.py::test_a47_a_payment_drained_under_our_transaction_is_pending_then_expires",
    ),
    Sabotage(
        "a remote facilitator's success is believed without the chain",
        "facilitator/remote.py",
        "                return Pending(said.transaction)\n",
        "                if said.success and said.transaction:\n"
        "                    payer = request.authorization.from_\n"
        "                    return Confirmed(TransferProof(said.transaction, 0, 0, said.transaction, payer), True)\n"
        "                return Pending(said.transaction)\n",
        _REMOTE_PAID + "test_a73_a_lie_is_503_without_offer_or_body_until_the_chain_has_decided",
    ),
    Sabotage(
        "a remote facilitator's redirect is followed",
        "facilitator/remote_http.py",
        "        if answer.status != 200:\n",
        '        if "location" in dict(answer.headers):\n'
        '            target = UpstreamTarget(dict(answer.headers)["location"], timeout)\n'
        '            answer = self._http.fetch(target, {}, method, "", headers, message, timeout)\n'
        "        if answer.status != 200:\n",
        _REMOTE + "test_a75_a_redirect_is_not_followed",
    ),
    Sabotage(
        "a remote facilitator's refusal is taken for a failure",
        "facilitator/remote.py",
        "                outcome = self._watch(request, asked, until, another)\n",
        "                if asked.said.why and asked.said.transaction is None:\n"
        "                    from tollgate.payment.settlement import Failed\n"
        "                    from tollgate.wire.reasons import Reason\n"
        "                    return Failed(Reason.AUTHORIZATION_CANCELLED)\n"
        "                outcome = self._watch(request, asked, until, another)\n",
        _REMOTE_PAID + "test_a_refusal_by_the_facilitator_is_not_taken_for_the_end",
    ),
    Sabotage(
        "a silent remote facilitator's transaction is a stranger's",
        "facilitator/remote.py",
        "return Pending(use.proof.transaction) if ours is None else Confirmed(use.proof, ours)",
        "return Confirmed(use.proof, bool(ours))",
        _REMOTE + "test_whose_transaction_it_was_is_not_guessed_while_the_facilitator_is_silent",
    ),
    Sabotage(
        "an old list of a facilitator's signers says who is a stranger",
        "facilitator/remote_one.py",
        "return True if was_theirs else None",
        "return was_theirs",
        _REMOTE + "test_a_signer_that_is_new_is_not_taken_for_a_stranger",
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
    Sabotage(
        "of two payment headers one is ignored",
        "gateway/payment_header.py",
        "if v1_value is not None and v2_value is not None:",
        "if False:",
        _V1 + "test_a11_both_headers_at_once_are_400_and_write_nothing",
    ),
    Sabotage(
        "a v1 payment is taken to be in the network's first token",
        "gateway/payment_header.py",
        "if len(assets) == 1:",
        "if assets:",
        "tests/unit/gateway/test_payment_header.py::test_of_several_tokens_the_one_whose_domain_was_signed_is_accepted",
    ),
    Sabotage(
        "a v1 payment gets a v2 receipt",
        "edge/answers.py",
        "if version == v1.X402_VERSION:",
        "if False:",
        _V1 + "test_a_v1_payment_is_served_settled_and_booked_once",
    ),
    Sabotage(
        "the version in a payment does not count",
        "wire/parse.py",
        "if type(version) is not int or version != wanted:",
        "if False:",
        "tests/unit/wire/test_v1.py::test_a14_neither_header_takes_the_others_payment",
    ),
    Sabotage(
        "the move to SETTLING does not wait for the object",
        "ledger/payments.py",
        "        self._big_bodies().put(kept, answer.body)\n",
        "",
        _BIG + "test_a81_an_answer_that_cannot_be_kept_is_502_and_not_charged",
    ),
    Sabotage(
        "a body is handed out whatever became of it",
        "ledger/answers.py",
        "if len(body) != kept.size or hashlib.sha256(body).hexdigest() != kept.sha256:",
        "if len(body) != kept.size:",
        _BIG + "test_a81_an_altered_or_missing_object_is_410_and_never_another_body",
    ),
    Sabotage(
        "a takeover writes over the first owner's object",
        "ledger/answers.py",
        'f"answers/{payment.id.digest}/{payment.fence}"',
        'f"answers/{payment.id.digest}"',
        "tests/contract/ledger/test_big_answers.py::test_a42_a_takeover_cannot_overwrite_what_the_first_owner_kept",
    ),
    Sabotage(
        "an outage of the store is taken for a loss",
        "ledger/answers.py",
        'if _name(error) == "NoSuchKey":',
        'if _name(error) != "SlowDown":',
        _BIG + "test_a81_a_settled_answer_that_cannot_be_read_is_503_with_its_receipt_and_no_offer",
    ),
    Sabotage(
        "a part that nobody asked for is charged",
        "gateway/run_upstream.py",
        "if answer.status in (206, 402) or",
        "if answer.status == 402 or",
        _PAID + "test_a92_a34_an_upstream_redirect_402_or_part_is_502_and_not_charged",
    ),
    Sabotage(
        "a preflight is priced",
        "gateway/serve.py",
        'if request.method == "OPTIONS":',
        'if request.method == "TRACE":',
        _PAID + "test_a31_options_is_free_and_runs_nothing",
    ),
    Sabotage(
        "a paid HEAD is sold as a GET",
        "gateway/serve.py",
        'raise MethodNotAllowed(["GET"], "paid_head", "A paid HEAD would buy nothing: send GET.")',
        "pass",
        _PAID + "test_a30_head_gets_the_challenge_and_buys_nothing",
    ),
    Sabotage(
        "more is sold than Lambda can return",
        "gateway/run_upstream.py",
        "event = 4 * -(-len(answer.body) // 3) +",
        "event = len(answer.body) +",
        "tests/unit/edge/test_delivery_cap.py::test_a93_the_largest_answer_that_is_sold_is_one_that_lambda_returns",
    ),
    Sabotage(
        "the routes are read at every call",
        "gateway/catalogue_cache.py",
        "REFRESH_SECONDS = 30",
        "REFRESH_SECONDS = 0",
        _COUNTS + "test_an_unpaid_call_writes_nothing_and_once_warm_reads_nothing",
    ),
    Sabotage(
        "settle reads the relayer's next nonce every time",
        "ledger/settlements.py",
        "if counter not in self._queues:",
        "if True:",
        _COUNTS + "test_a_paid_call_makes_few_requests",
    ),
    Sabotage(
        "a heavy library slips into the request path",
        "schemes/secp256k1.py",
        "from coincurve import PublicKey",
        "import eth_account\nfrom coincurve import PublicKey",
        _COUNTS + "test_the_request_path_loads_no_heavy_library",
    ),
    Sabotage(
        "slow blocks are good enough",
        "payment/networks.py",
        "if self.block_seconds > MAX_BLOCK_SECONDS:",
        "if False:",
        _NETWORKS + "test_what_cannot_be_collected_is_refused_with_a_sentence",
    ),
    Sabotage(
        "one token's domain is another's",
        "payment/network_table.py",
        '0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin"',
        '0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USDC"',
        _NETWORKS + "test_assets_and_their_domains_are_those_of_the_installed_sdk",
    ),
    Sabotage(
        "a chain of this machine is taken anywhere",
        "settings.py",
        'if any(info.local for info in found) and stage != "local":',
        "if False:",
        "tests/template/test_parameters.py::test_a110_the_rules_and_the_functions_settings_agree",
    ),
    Sabotage(
        "the doctor believes an endpoint of another network",
        "facilitator/checkup.py",
        'if answers.quantity(chain_id, "eth_chainId") != info.network.chain_id:',
        "if False:",
        _SETTLE + "test_checkup.py::test_an_endpoint_of_another_network_or_none_at_all_is_of_no_use",
    ),
    Sabotage(
        "a body is read before its key is checked",
        "edge/facilitator_api.py",
        """        seller = authenticate(sellers, request.headers.get("authorization"), journal)
        return json_answer(decide(seller, parse_envelope(request.body)).to_json())
""",
        """        envelope = parse_envelope(request.body)
        seller = authenticate(sellers, request.headers.get("authorization"), journal)
        return json_answer(decide(seller, envelope).to_json())
""",
        _SETTLE + "test_http_keys.py::test_a61_without_a_key_nothing_is_asked_of_anybody",
    ),
    Sabotage(
        "any key opens the facilitator to the seller that it names",
        "payment/sellers.py",
        "return any(found)",
        "return True",
        _SETTLE + "test_http_keys.py::test_a61_a_wrong_key_costs_one_read_and_no_rpc_call",
    ),
    Sabotage(
        "a seller elsewhere may have anybody paid",
        "payment/sellers.py",
        "if requirements.pay_to not in self.pay_to:",
        "if False:",
        _SETTLE + "test_http_settle.py::test_a61_an_unknown_pay_to_sends_nothing",
    ),
    Sabotage(
        "a day's settlements are not counted with the nonce",
        "ledger/settlements.py",
        "*([cap.count()] if cap else []),",
        "",
        _SETTLE + "test_http_settle.py::test_a_days_settlements_are_counted_with_the_nonce",
    ),
    Sabotage(
        "what was begun is refused once the day's settlements are used up",
        "ledger/settlements.py",
        "if 0 in lost.failed or capped or full:",
        "if 0 in lost.failed or full:",
        _SETTLE + "test_settlements_ledger.py::test_at_a_days_cap_a_payment_that_is_known_is_known",
    ),
    Sabotage(
        "a rotation of keys writes over whatever stands there",
        "ledger/sellers.py",
        'Put(item, "seller = :read", {":read": read})',
        "Put(item, None)",
        "tests/contract/cli/test_sellers.py::test_a_rotation_cannot_bring_back_a_seller_that_was_removed",
    ),
    Sabotage(
        "what was begun is refused once the key covers less",
        "facilitator/http_settle.py",
        "if known is None or known.request.seller != seller.name:",
        "if True:",
        _SETTLE + "test_http_settle.py::test_what_was_begun_is_answered_when_the_key_covers_less",
    ),
    Sabotage(
        "somebody else's transaction is a success for a seller elsewhere",
        "facilitator/http_settle.py",
        "case Confirmed(proof=proof, ours=True):",
        "case Confirmed(proof=proof):",
        _SETTLE + "test_http_strangers.py::test_a115_somebody_elses_transaction_after_our_reservation_is_no_success",
    ),
    Sabotage(
        "a stranger's settled payment is recorded for a seller elsewhere",
        "facilitator/settle.py",
        "refuse_unsettleable(call, preparation.check)",
        "pass",
        _SETTLE + "test_http_strangers.py::test_a113_a_strangers_settled_payment_is_no_success_and_leaves_no_trace",
    ),
    Sabotage(
        "verify does not look whether the nonce is used",
        "facilitator/verify.py",
        "if check.nonce_used:",
        "if False:",
        _SETTLE + "test_http_verify.py::test_what_the_chain_says_against_it",
    ),
    Sabotage(
        "gas is counted by the richest relayer",
        "facilitator/relayers.py",
        "settlements_left = min(balances) // cost",
        "settlements_left = max(balances) // cost",
        "tests/unit/facilitator/test_relayers.py::test_a69_the_poorest_relayer_decides_how_many_settlements_are_left",
    ),
    Sabotage(
        "a settled payment that is only looked at again counts as open",
        "reconcile/sweep.py",
        "if payment.state in OPEN:",
        "if True:",
        "tests/contract/gateway/test_open_age.py::test_a_settled_payment_that_is_only_looked_at_again_is_not_open",
    ),
    Sabotage(
        "the gas alarms look at a metric that nobody emits",
        "edge/telemetry.py",
        "own.add_dimensions(service=own.service, **of)",
        "own.add_dimension(next(iter(of)), next(iter(of.values())))",
        "tests/template/test_alarms.py::test_every_alarm_of_ours_looks_at_a_metric_that_the_code_emits",
    ),
)
