"""Settlement under load and trouble: replacements, pools, caps, depth, and endpoints that lie."""

from tests.faults.sabotage import Sabotage

_SETTLE = "tests/contract/facilitator/"
_DEPTH = _SETTLE + "test_depth.py::"
_POOL = "tests/concurrency/test_settle_pool.py::"
_ROOM = _SETTLE + "test_room.py::"
_REPLACING = _SETTLE + "test_replacing.py::"

SABOTAGES = (
    Sabotage(
        "a replacement is broadcast without being stored",
        "facilitator/replacing.py",
        "            newest = self._ledger.replace_bytes(\n"
        "                key, standing, replace(ready, replaced=(*standing.replaced, standing.transaction))\n"
        "            )",
        "            newest = replace(ready, replaced=(*standing.replaced, standing.transaction))",
        _REPLACING + "test_a59_a_crash_while_replacing_broadcasts_nothing_that_is_not_stored",
    ),
    Sabotage(
        "of two versions the last that is stored wins",
        "ledger/settlements.py",
        '"#tx_hash = :standing",',
        '"attribute_exists(#tx_hash) OR #tx_hash = :standing",',
        _SETTLE + "test_settlements_ledger.py::test_a59_of_two_versions_for_one_the_first_that_is_stored_wins",
    ),
    Sabotage(
        "only the newest hash is watched",
        "facilitator/delivery.py",
        "watched = _signed(signed)[1].transactions",
        "watched = _signed(signed)[1].transactions[:1]",
        _REPLACING + "test_a59_whoever_waits_watches_the_hashes_of_all_versions",
    ),
    Sabotage(
        "nothing is replaced",
        "facilitator/replacing.py",
        "if not (behind or slow):",
        "if True:",
        _REPLACING + "test_a59_bytes_below_the_base_fee_are_replaced_and_the_new_ones_land",
    ),
    Sabotage(
        "a stuck nonce below is sent again as it is",
        "facilitator/queue.py",
        "return self._replacing.newest(lower.slot, key, standing, market, is_next=is_next)",
        "return standing",
        _REPLACING + "test_a59_a_stuck_nonce_below_does_not_block_the_queue",
    ),
    Sabotage(
        "a replacement may pass the fee cap",
        "facilitator/fees.py",
        "max_fee = min(cap, max(least.max_fee, market.max_fee))",
        "max_fee = max(least.max_fee, market.max_fee)",
        "tests/unit/facilitator/test_fees.py::test_a59_a_replacement_pays_an_eighth_more_on_both_or_is_not_made",
    ),
    Sabotage(
        "there is no end to the versions",
        "facilitator/replacing.py",
        "len(standing.transactions) >= MOST_VERSIONS",
        "False",
        _REPLACING + "test_a59_no_version_is_above_the_fee_cap_and_there_is_an_end_to_them",
    ),
    Sabotage(
        "payments over one balance are all reserved",
        "ledger/room.py",
        "(#open < :most AND open_value <= :room)",
        "(#open < :most AND :room >= :one)",
        _ROOM + "test_a62_eight_payments_over_one_balance_make_one_transaction",
    ),
    Sabotage(
        "a balance from before a payer's last transfer is good enough",
        "ledger/room.py",
        "OR paid_in <= :seen)",
        "OR :seen = :seen)",
        _ROOM + "test_a62_a_balance_seen_before_a_transfer_that_ended_since_is_looked_at_again",
    ),
    Sabotage(
        "a payer may have any number of settlements open",
        "ledger/room.py",
        "(#open < :most AND open_value <= :room)",
        "(:most > :one OR open_value <= :room)",
        _ROOM + "test_a72_a_payer_at_its_cap_does_not_keep_another_from_settling",
    ),
    Sabotage(
        "the room is given back beside the write that ends a settlement",
        "ledger/settlements.py",
        "self._table.transact([update, give_room_back(settlement.request, now, paid_in)])",
        "self._table.write(give_room_back(settlement.request, now, paid_in)); self._table.write(update)",
        _ROOM + "test_a_second_verdict_gives_no_room_back",
    ),
    Sabotage(
        "a revert is counted by everybody who sees it",
        "ledger/settlements.py",
        '"attribute_exists(pk) AND attribute_not_exists(reverted)",',
        '"attribute_exists(pk)",',
        _ROOM + "test_a62_a_revert_is_counted_once_though_many_see_it",
    ),
    Sabotage(
        "a payer of many reverts is served on",
        "ledger/room.py",
        "blocked_until <= :now",
        "blocked_until >= :now",
        _ROOM + "test_a62_after_five_reverts_the_payer_is_blocked_for_a_while",
    ),
    Sabotage(
        "one endpoint of several may say that a payment failed",
        "chain/evm.py",
        "if use.failure is None or len(self._rpc.alone) == 1:",
        "if True:",
        _SETTLE + "test_disagreement.py::test_a58_one_of_two_endpoints_cannot_make_a_payment_fail",
    ),
    Sabotage(
        "one endpoint of several may take a proof back",
        "chain/evm.py",
        "if expected is None or found in (None, expected) or len(self._rpc.alone) == 1:",
        "if True:",
        _SETTLE + "test_disagreement.py::test_a58_one_endpoint_alone_cannot_take_a_proof_back",
    ),
    Sabotage(
        "a receipt counts at any depth",
        "chain/evm.py",
        "if is_deep(receipt.block_number, head, self._info):",
        "if True:",
        _DEPTH + "test_a57_a_payment_that_is_mined_but_not_deep_enough_is_pending_with_its_hash",
    ),
    Sabotage(
        "the receipt of the broadcast counts at any depth",
        "chain/evm.py",
        "return receipt if self._info.settle_depth == 1 else None",
        "return receipt",
        _DEPTH + "test_a57_a_reorganisation_below_the_depth_never_was_a_success",
    ),
    Sabotage(
        "a proof that was searched for counts at any depth",
        "chain/uses.py",
        "if not is_deep(proof.block_number, head.number, self._info):",
        "if False:",
        _DEPTH + "test_a57_a_strangers_transaction_has_to_be_as_deep",
    ),
    Sabotage(
        "a relayer without gas is given new payments",
        "facilitator/choosing.py",
        "enough = wei >= (queue.open(chain_nonce) + 1) * self._cost",
        "enough = True",
        _POOL + "test_a69_a_relayer_without_gas_strands_no_new_payment",
    ),
    Sabotage(
        "a relayer whose queue is stuck is given new payments",
        "facilitator/choosing.py",
        "return enough and not queue.is_stuck(chain_nonce, self._clock(), STUCK_SECONDS)",
        "return enough",
        _POOL + "test_a59_a_relayer_whose_queue_is_stuck_gets_no_new_payment",
    ),
    Sabotage(
        "the simulation may use any amount of gas",
        "chain/evm.py",
        "token_call(asset, transfer, block, eip3009.TRANSFER_GAS + self._info.data_gas),",
        "token_call(asset, transfer, block),",
        _SETTLE + "test_settlements_settle.py::"
        "test_a63_a_token_that_needs_more_gas_than_we_send_is_refused_before_anything_is_reserved",
    ),
    Sabotage(
        "settle's answer that breaks off is a bug, not unknown",
        "facilitator/invoke.py",
        "except (ClientError, BotoCoreError, HTTPError, OSError) as error:",
        "except (ClientError, BotoCoreError) as error:",
        "tests/unit/facilitator/test_invoke.py::test_a73_a_lost_or_odd_answer_is_pending_and_named_in_the_log",
    ),
    Sabotage(
        "an endpoint that lags is asked ten times a second",
        "facilitator/room.py",
        "self._sleep(_STALE_PAUSE_SECONDS if soon else pause)",
        "self._sleep(_STALE_PAUSE_SECONDS)",
        _ROOM + "test_a58_an_endpoint_that_lags_behind_a_payers_transfer_is_not_stormed",
    ),
)
