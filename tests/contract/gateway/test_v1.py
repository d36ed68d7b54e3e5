"""x402 v1 on the same 402: X-PAYMENT, X-PAYMENT-RESPONSE, and one payment whichever header it comes by."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.buyer import as_v1, decode, encode, fresh_signature
from tests.support.upstream import answers, slowly
from tests.support.world import BASE_URL, ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.gateway.messages import Answer


def v1_receipt(answer: Answer) -> dict[str, Any]:
    """The decoded X-PAYMENT-RESPONSE, which must be the only receipt."""
    header = answer.header("x-payment-response")
    assert header is not None
    assert answer.header("payment-response") is None
    return decode(header)


def send(world: World, payment: dict[str, Any], **kwargs: Any) -> Answer:
    """By X-PAYMENT."""
    return world.request(X_PAYMENT=encode(as_v1(payment)), **kwargs)


def rows(world: World) -> int:
    """How many items the ledger holds."""
    return int(world.table._client.scan(TableName=world.table._name, Select="COUNT")["Count"])


def test_the_402_holds_both_offers(world: World) -> None:
    """v2 in the header, v1 in the body, about the same price."""
    answer = world.request()
    header = answer.header("payment-required")
    assert header is not None
    v2, body = decode(header), body_of(answer)
    assert (v2["x402Version"], body["x402Version"]) == (2, 1)
    (accepts,) = body["accepts"]
    assert accepts["network"] == "base-sepolia"
    assert accepts["maxAmountRequired"] == v2["accepts"][0]["amount"] == str(PRICE)
    assert accepts["resource"] == f"{BASE_URL}/weather/paris"
    assert "outputSchema" not in accepts


def test_a_v1_payment_is_served_settled_and_booked_once(world: World) -> None:
    """200 with the body, the v1 receipt and nothing of v2."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    answer = send(world, payment)
    assert (answer.status, answer.body) == (200, b"sunny")
    receipt = v1_receipt(answer)
    assert receipt == {
        "success": True,
        "transaction": receipt["transaction"],
        "network": "base-sepolia",
        "payer": buyer.address,
    }
    row = world.row("RCT", payment)
    assert row is not None
    assert row["transaction"] == receipt["transaction"]
    again = send(world, payment)
    assert (again.status, again.body, v1_receipt(again)) == (200, b"sunny", receipt)
    assert (world.upstream.runs, world.sent(), world.revenue()) == (1, 1, (PRICE, 1))


@pytest.mark.parametrize("first", [1, 2])
def test_a35_one_payment_by_both_headers_one_after_the_other_is_one_payment(world: World, first: int) -> None:
    """Same transaction, one run, one revenue; each answer with the receipt of its own version."""
    payment = world.sign(world.buyer(), world.offer())
    ways = [lambda: v1_receipt(send(world, payment)), lambda: receipt_of(world.request(payment=payment))]
    receipts = [way() for way in (ways if first == 1 else reversed(ways))]
    assert receipts[0]["transaction"] == receipts[1]["transaction"]
    assert (world.upstream.runs, world.sent(), world.revenue()) == (1, 1, (PRICE, 1))


def test_a36_one_payment_by_both_headers_in_parallel_is_one_payment(world: World) -> None:
    """Two of each at once: one run, one transaction, each served with its own kind of receipt."""
    world.upstream.behave(slowly(0.3))
    payment = world.sign(world.buyer(), world.offer())
    barrier = threading.Barrier(4)

    def go(turn: int) -> str:
        barrier.wait()
        receipt = v1_receipt(send(world, payment)) if turn % 2 else receipt_of(world.request(payment=payment))
        assert receipt["success"] is True
        return str(receipt["transaction"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(go, range(4)))) == 1
    assert (world.upstream.runs, world.sent(), world.revenue()) == (1, 1, (PRICE, 1))


def test_a_v1_payment_for_a_price_applied_seconds_ago_is_served(world: World) -> None:
    """This process still knows the old price: it reads the table once more before it refuses."""
    stale = world.current()
    dearer = dataclasses.replace(world.requirements, amount=PRICE * 2)
    world.routes[0] = dataclasses.replace(world.routes[0], accepts=(dearer,))
    payment = world.sign(world.buyer(), world.offer())
    behind = SimpleNamespace(current=lambda: stale, fresh=world.fresh)
    world.gateway = dataclasses.replace(world.gateway, catalogues=behind)
    assert send(world, payment).status == 200
    assert world.revenue() == (PRICE * 2, 1)


def test_a11_both_headers_at_once_are_400_and_write_nothing(world: World) -> None:
    """Even the same payment, and even when one of them could not be read."""
    payment = world.sign(world.buyer(), world.offer())
    before = rows(world)
    for other in (encode(as_v1(payment)), "x", ""):
        answer = world.request(payment=payment, X_PAYMENT=other)
        assert (answer.status, body_of(answer)["code"]) == (400, "payment_header_ambiguous")
    assert rows(world) == before
    assert world.upstream.runs == 0


def test_a14_a_payment_in_the_other_versions_header_is_refused(world: World) -> None:
    """402 with a fresh offer, and nothing written."""
    payment = world.sign(world.buyer(), world.offer())
    before = rows(world)
    for answer in (world.request(X_PAYMENT=encode(payment)), world.request(payment=as_v1(payment))):
        assert answer.status == 402
        assert answer.header("payment-required") is not None
        assert body_of(answer)["error"] == "invalid_x402_version"
    assert rows(world) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": "eip155:84532"}, "invalid_network"),
        ({"network": "moon"}, "invalid_network"),
        ({"network": "base"}, "invalid_exact_evm_payload_signature"),
        ({"scheme": "upto"}, "unsupported_scheme"),
    ],
)
def test_what_v1_refuses_says_why_in_body_and_header(world: World, changes: dict[str, str], reason: str) -> None:
    """The reason code is the ``error`` of both offers."""
    payment = as_v1(world.sign(world.buyer(), world.offer())) | changes
    answer = world.request(X_PAYMENT=encode(payment))
    header = answer.header("payment-required")
    assert header is not None
    body = body_of(answer)
    assert (answer.status, body["error"], decode(header)["error"]) == (402, reason, reason)
    assert (body["x402Version"], bool(body["message"])) == (1, True)
    assert world.upstream.runs == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": str(PRICE - 1)}, "invalid_exact_evm_payload_authorization_value_mismatch"),
        ({"value": str(PRICE + 1)}, "invalid_exact_evm_payload_authorization_value_mismatch"),
        ({"to": "0x" + "77" * 20}, "invalid_exact_evm_payload_recipient_mismatch"),
        ({"validBefore": "1"}, "invalid_exact_evm_payload_authorization_valid_before"),
    ],
)
def test_a16_v1_is_held_to_the_same_terms(world: World, changes: dict[str, str], reason: str) -> None:
    """Exact price, our wallet, our time."""
    answer = send(world, world.sign(world.buyer(), world.offer(), **changes))
    assert (answer.status, body_of(answer)["error"]) == (402, reason)
    assert world.upstream.runs == 0


def test_a40_a_forged_signature_claims_nothing_by_v1_either(world: World) -> None:
    """The terms hold, the signature does not."""
    payment = world.sign(world.buyer(), world.offer())
    payment["payload"]["signature"] = world.sign(world.buyer(), world.offer())["payload"]["signature"]
    before = rows(world)
    answer = send(world, payment)
    assert (answer.status, body_of(answer)["error"]) == (402, "invalid_exact_evm_payload_signature")
    assert rows(world) == before


def test_a_pending_settlement_is_503_with_a_v1_receipt_and_no_offer(world: World) -> None:
    """The transaction is out, its block is not: the receipt says so, and the money moves once."""
    payment = world.sign(world.buyer(), world.offer())
    world.chain.stop_mining()
    try:
        answer = send(world, payment, seconds=8)
    finally:
        world.chain.mine_at_once()
    assert (answer.status, answer.header("payment-required")) == (503, None)
    assert body_of(answer)["code"] == "settlement_pending"
    pending = v1_receipt(answer)
    assert (pending["success"], pending["errorReason"]) == (False, "settlement_pending")
    assert pending["network"] == "base-sepolia"
    world.chain.mine()
    world.skew += 30
    again = v1_receipt(send(world, payment, seconds=20))
    assert (again["success"], again["transaction"]) == (True, pending["transaction"])
    assert (world.upstream.runs, world.revenue()) == (1, (PRICE, 1))


def test_a_stranger_with_the_header_gets_409_and_the_payer_a_way_in(world: World) -> None:
    """Rule 6 holds for v1; its payer shows a fresh signature of the wallet."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    assert send(world, payment).status == 200
    answer = send(world, payment, source=ELSEWHERE)
    assert (answer.status, answer.header("x-payment-response")) == (409, None)
    proof = fresh_signature(buyer, body_of(answer)["details"]["signIn"], now=world.clock())
    shown = send(world, payment, source=ELSEWHERE, SIGN_IN_WITH_X=proof)
    assert (shown.status, shown.body) == (200, b"sunny")


def test_a_served_v1_payment_is_found_after_the_price_has_changed(world: World) -> None:
    """It matches no offer any more, but it is on the books: never merely refused (rule 1)."""
    payment = world.sign(world.buyer(), world.offer())
    assert send(world, payment).status == 200
    dearer = dataclasses.replace(world.requirements, amount=PRICE * 2)
    world.routes[0] = dataclasses.replace(world.routes[0], accepts=(dearer,))
    assert (send(world, payment).body, world.upstream.runs) == (b"sunny", 1)


def test_past_retention_v1_gets_410_with_its_receipt(world: World) -> None:
    """Paid, served, and not kept any more."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    assert send(world, payment).status == 200
    world.skew += 86_401
    stranger = send(world, payment)
    assert stranger.status == 409
    proof = fresh_signature(buyer, body_of(stranger)["details"]["signIn"], now=world.clock())
    answer = send(world, payment, SIGN_IN_WITH_X=proof)
    assert answer.status == 410
    assert v1_receipt(answer)["success"] is True


def test_a_v1_payment_for_a_failing_upstream_is_not_charged(world: World) -> None:
    """No receipt, for nothing was settled; the released payment is refused from then on."""
    world.upstream.behave(answers(500))
    payment = world.sign(world.buyer(), world.offer())
    answer = send(world, payment)
    assert (answer.status, answer.header("x-payment-response")) == (500, None)
    again = send(world, payment)
    assert (again.status, body_of(again)["error"]) == (402, "payment_released")
    assert world.sent() == 0


def test_x_payment_never_reaches_the_upstream(world: World) -> None:
    """Threat 90."""
    assert send(world, world.sign(world.buyer(), world.offer())).status == 200
    ((_, _, headers, _),) = world.upstream.seen
    assert not [name for name in headers if name.lower().startswith("x-payment")]
