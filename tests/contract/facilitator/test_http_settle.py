"""Settle over HTTP as sellers elsewhere use it: the real handlers, DynamoDB over HTTP, KMS and a chain."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from x402.schemas import SettleResponse

from tests.support.functions import Functions
from tests.support.sellers import PRICE, SETTLE, SellerElsewhere, items
from tollgate.payment.settlement import SettleRequest
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32, Network, parse_atomic, parse_hex


def test_a_payment_is_verified_and_settled(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """The two calls that an official server makes, in v2."""
    buyer = functions.buyer()
    envelope = elsewhere.envelope(elsewhere.payment(buyer))
    assert elsewhere.verify(envelope) == {"isValid": True, "payer": buyer.address}
    settled = elsewhere.settle(envelope)
    assert settled == {
        "success": True,
        "transaction": settled["transaction"],
        "network": str(functions.chain.info.network),
        "payer": buyer.address,
        "amount": str(PRICE),
    }
    assert elsewhere.earned == PRICE
    receipt = functions.chain.receipt(settled["transaction"])
    assert receipt is not None
    assert receipt["from"] == functions.relayer().lower()


def test_the_same_in_v1(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """The network is called by its name, there and back; and it is the same payment in either version."""
    buyer = functions.buyer()
    payment = elsewhere.payment(buyer)
    envelope = elsewhere.envelope_v1(payment)
    assert elsewhere.verify(envelope) == {"isValid": True, "payer": buyer.address}
    settled = elsewhere.settle(envelope)
    assert settled["success"] is True
    assert settled["network"] == "base-sepolia"
    assert elsewhere.settle(elsewhere.envelope(payment)) == settled | {"network": "eip155:84532"}
    assert elsewhere.earned == PRICE


def test_a39_the_same_seller_gets_the_same_outcome_again(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """One transaction, one entry in the day's count, however often it is asked."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    relayer = functions.relayer()
    before = functions.chain.transaction_count(relayer)
    first = elsewhere.settle(envelope)
    functions.cold("settle")
    assert elsewhere.settle(envelope) == elsewhere.settle(envelope) == first
    assert functions.chain.transaction_count(relayer) == before + 1
    assert begun(functions, elsewhere) == 1
    assert elsewhere.earned == PRICE


def test_a39_at_once_and_often_is_still_one_settlement(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """Every caller waits for the one that got there first, and hears the same."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    elsewhere.settle(elsewhere.envelope(elsewhere.payment(functions.buyer())))
    before = functions.chain.transaction_count(functions.relayer())
    barrier = threading.Barrier(6)

    def ask(_: int) -> dict[str, Any]:
        barrier.wait(10)
        return elsewhere.settle(envelope)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["success"] is True
    assert functions.chain.transaction_count(functions.relayer()) == before + 1
    assert begun(functions, elsewhere) == 2


def test_a39_another_seller_is_never_told_of_success(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """Even one who is paid to the same address on the same terms."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    assert elsewhere.settle(envelope)["success"]
    other = SellerElsewhere(functions, pay_to=elsewhere.pay_to)
    answer = other.settle(envelope)
    assert (answer["success"], answer["errorReason"], answer["transaction"]) == (False, "duplicate_settlement", "")
    SettleResponse.model_validate(answer)
    assert begun(functions, other) == 0


def test_a39_other_terms_are_another_business(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """The same payer and nonce, signed anew for another validity."""
    buyer = functions.buyer()
    payment = elsewhere.payment(buyer)
    assert elsewhere.settle(elsewhere.envelope(payment))["success"]
    signed = payment["payload"]["authorization"]
    again = elsewhere.payment(buyer, nonce=signed["nonce"], validBefore=str(int(signed["validBefore"]) + 1))
    assert elsewhere.settle(elsewhere.envelope(again))["errorReason"] == "duplicate_settlement"


def test_a39_what_our_own_routes_settled_is_nobody_elses(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """The proxy's payments belong to the stack itself."""
    payment = elsewhere.payment(functions.buyer())
    assert functions.invoke("settle", {"op": "settle", "request": own(payment)})["outcome"] == "confirmed"
    answer = elsewhere.settle(elsewhere.envelope(payment))
    assert (answer["success"], answer["errorReason"]) == (False, "duplicate_settlement")


def test_a61_an_unknown_pay_to_sends_nothing(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """Nor does another asset or a larger amount: no RPC call, no signature, no write; only the key and the
    settlement are looked up."""
    elsewhere.settle(elsewhere.envelope(elsewhere.payment(functions.buyer())))
    before = items(functions)
    for changes in (
        {"payTo": Account.create().address},
        {"amount": str(100 * PRICE + 1)},
        {"asset": "0x" + "34" * 20},
        {"network": "eip155:8453"},
    ):
        payment = elsewhere.payment(functions.buyer(), elsewhere.requirements(**changes))
        with functions.recording() as seen:
            answer = elsewhere.settle(elsewhere.envelope(payment))
        assert (answer["success"], answer["errorReason"]) == (False, "invalid_payment_requirements")
        assert [call.operation for call in seen.aws] == ["GetItem", "GetItem"]
        assert seen.rpc == []
    assert items(functions) == before


def test_what_was_begun_is_answered_when_the_key_covers_less(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """A refusal would say "not paid" of what is paid, and the buyer would pay again; what is new is refused."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    settled = elsewhere.settle(envelope)
    assert settled["success"] is True
    found = elsewhere.table.load(elsewhere.name)
    assert found is not None
    less = replace(found[0], allowances=(replace(found[0].allowances[0], max_amount=PRICE - 1),))
    elsewhere.table.replace(less, found[1])
    assert elsewhere.settle(envelope) == settled
    fresh = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    assert elsewhere.settle(fresh)["errorReason"] == "invalid_payment_requirements"
    other = SellerElsewhere(functions)
    assert other.settle(envelope)["errorReason"] == "invalid_payment_requirements"
    assert elsewhere.verify(envelope)["invalidReason"] == "invalid_payment_requirements"


def test_a40_a_forged_signature_costs_no_rpc_call(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """It is checked before the settlements are even looked at."""
    elsewhere.settle(elsewhere.envelope(elsewhere.payment(functions.buyer())))
    payment = elsewhere.payment(functions.buyer())
    payment["payload"]["authorization"]["nonce"] = "0x" + "77" * 32
    with functions.recording() as seen:
        answer = elsewhere.settle(elsewhere.envelope(payment))
    assert answer["errorReason"] == "invalid_exact_evm_payload_signature"
    assert [call.operation for call in seen.aws] == ["GetItem"]
    assert seen.rpc == []


def test_what_the_chain_says_against_a_new_payment_writes_nothing(
    functions: Functions, elsewhere: SellerElsewhere
) -> None:
    """Nothing was reserved, so it is a refusal and not an unknown outcome."""
    before = items(functions)
    answer = elsewhere.settle(elsewhere.envelope(elsewhere.payment(Account.create())))
    assert (answer["success"], answer["errorReason"], answer["transaction"]) == (False, "insufficient_funds", "")
    assert items(functions) == before


def test_an_expired_payment_is_refused_and_a_settled_one_is_not_forgotten(
    functions: Functions, elsewhere: SellerElsewhere
) -> None:
    """Too late to begin, never too late to ask."""
    payment = elsewhere.payment(functions.buyer())
    settled = elsewhere.settle(elsewhere.envelope(payment))
    late = elsewhere.payment(functions.buyer())
    functions.clock.skew += 120
    try:
        with functions.recording() as seen:
            answer = elsewhere.settle(elsewhere.envelope(late))
        assert answer["errorReason"] == "invalid_exact_evm_payload_authorization_valid_before"
        assert seen.rpc == []
        assert elsewhere.settle(elsewhere.envelope(payment)) == settled
        other = SellerElsewhere(functions, pay_to=elsewhere.pay_to)
        assert other.settle(elsewhere.envelope(payment))["errorReason"] == "duplicate_settlement"
    finally:
        functions.clock.skew -= 120


def test_a_pending_settlement_is_answered_in_time_and_found_again(
    functions: Functions, elsewhere: SellerElsewhere
) -> None:
    """200 with the transaction before the function's time is up; the official server asks once more."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    elsewhere.settle(elsewhere.envelope(elsewhere.payment(functions.buyer())))
    functions.chain.stop_mining()
    try:
        started = time.monotonic()
        pending = elsewhere.settle(envelope, seconds=4)
        assert time.monotonic() - started < 3
        assert (pending["success"], pending["errorReason"]) == (False, "settlement_pending")
        assert len(pending["transaction"]) == 66
        assert pending["network"] == "eip155:84532"
        SettleResponse.model_validate(pending)
    finally:
        functions.chain.mine_at_once()
        functions.chain.mine()
    settled = elsewhere.settle(envelope)
    assert settled["success"] is True
    assert settled["transaction"] == pending["transaction"]


def test_a_days_settlements_are_counted_with_the_nonce(functions: Functions) -> None:
    """The cap ends new ones, not the answers to old ones; what is refused is not counted."""
    seller = SellerElsewhere(functions, per_day=2)
    first, second, third = (seller.envelope(seller.payment(functions.buyer())) for _ in range(3))
    assert seller.settle(first)["success"]
    assert seller.settle(seller.envelope(seller.payment(Account.create())))["errorReason"] == "insufficient_funds"
    assert seller.settle(second)["success"]
    before = items(functions)
    sent = functions.chain.transaction_count(functions.relayer())
    for _ in range(2):
        answer = seller.settle(third)
        assert (answer["success"], answer["errorReason"]) == (False, "daily_settlement_cap_reached")
        assert answer["transaction"] == ""
    assert items(functions) == before
    assert functions.chain.transaction_count(functions.relayer()) == sent
    assert begun(functions, seller) == 2
    assert seller.settle(first)["success"]


def test_a_days_settlements_are_never_over_the_cap_at_once(functions: Functions) -> None:
    """Counted in the transaction that reserves the nonce: no two can take the last place."""
    seller = SellerElsewhere(functions, per_day=3)
    envelopes = [seller.envelope(seller.payment(functions.buyer())) for _ in range(6)]
    barrier = threading.Barrier(6)

    def ask(envelope: dict[str, Any]) -> dict[str, Any]:
        barrier.wait(10)
        return seller.settle(envelope)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, envelopes))
    assert sum(answer["success"] for answer in answers) == 3
    assert {a["errorReason"] for a in answers if not a["success"]} == {"daily_settlement_cap_reached"}
    assert begun(functions, seller) == 3
    assert seller.earned == 3 * PRICE


def test_a104_neither_key_nor_signature_is_logged(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """Of a success, a refusal, and somebody without a key."""
    payment = elsewhere.payment(functions.buyer())
    elsewhere.verify(elsewhere.envelope(payment))
    elsewhere.settle(elsewhere.envelope(payment))
    elsewhere.verify(elsewhere.envelope(payment))
    elsewhere.post(SETTLE, elsewhere.envelope(payment), key=elsewhere.key[:-1] + "_")
    for name in ("verify", "settle"):
        lines = functions.loaded[name].lines()
        text = json.dumps(lines)
        assert payment["payload"]["signature"][2:] not in text
        assert elsewhere.key[-43:-1] not in text
    messages = [line["message"] for line in functions.loaded["verify"].lines()]
    assert "payment.verified" in messages
    assert "payment.refused" in messages
    assert "seller.unauthorized" in [line["message"] for line in functions.loaded["settle"].lines()]


@pytest.mark.parametrize("event", [{}, {"op": "transfer"}])
def test_an_invoke_is_no_http_call(functions: Functions, event: dict[str, Any]) -> None:
    """Only an event with a requestContext is HTTP; the rest fails loudly, as before."""
    with pytest.raises(ValueError, match="op must be"), pytest.warns(UserWarning, match="No application metrics"):
        functions.invoke("settle", event)


def begun(functions: Functions, seller: SellerElsewhere) -> int:
    """What the ledger has counted for a seller."""
    prefix = f"CAP#{seller.name}#"
    return sum(int(item["count"]["N"]) for item in items(functions) if item["pk"]["S"].startswith(prefix))


def own(payment: dict[str, Any]) -> dict[str, Any]:
    """What the proxy would ask of settle for this payment."""
    a = payment["payload"]["authorization"]
    return SettleRequest(
        network=Network.parse(payment["accepted"]["network"]),
        asset=Address.parse(payment["accepted"]["asset"]),
        authorization=Authorization(
            Address.parse(a["from"]),
            Address.parse(a["to"]),
            parse_atomic(a["value"]),
            parse_atomic(a["validAfter"]),
            parse_atomic(a["validBefore"]),
            Bytes32.parse(a["nonce"]),
        ),
        signature=parse_hex(payment["payload"]["signature"], max_bytes=65),
        seen_block=0,
        seller="self",
        max_timeout_seconds=60,
        resource_url="",
    ).to_json()
