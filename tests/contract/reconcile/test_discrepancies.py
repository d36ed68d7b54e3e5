"""Chain against books, on a real chain and a real DynamoDB server: transfers that no payment explains, and receipts
that no log explains."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.chain import DEPLOYER, Chain
from local.rpc_gate import Act, RpcGate
from tests.support.upstream import answers
from tests.support.world import PRICE, World, a_world
from tollgate.chain.answers import Receipt
from tollgate.ledger import discrepancies
from tollgate.ledger.dynamo import Item
from tollgate.ledger.work import OWED
from tollgate.payment.events import Event
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.reconcile import receipts, scan
from tollgate.reconcile.scan import GRACE_SECONDS
from tollgate.wire.primitives import Address

FAR = 10**11


@pytest.fixture
def shop(aws_endpoint: str, chain: Chain) -> Iterator[World]:
    """A world whose seller nobody else pays: tests share the chain."""
    chain.mine_at_once()
    with a_world(aws_endpoint, chain) as made:
        sell_to(made, Address(secrets.token_bytes(20)))
        yield made


def sell_to(world: World, pay_to: Address) -> None:
    """Everything is sold by somebody else from now on."""
    terms = replace(world.requirements, pay_to=pay_to)
    world.requirements = terms
    world.routes = [replace(route, accepts=(terms,)) for route in world.routes]


def deep(world: World) -> None:
    """What is mined now is deep enough to be compared."""
    world.chain.mine(world.info.confirmations + 1)


def rows(world: World, partition: str) -> list[Item]:
    """All rows of a list."""
    return world.discrepancies.due(partition, FAR, 100)[0]


def said(world: World, event: Event) -> list[dict[str, Any]]:
    """The fields of each such event."""
    return [fields for e, fields in world.diary.events if e is event]


def paid(world: World) -> dict[str, Any]:
    """A payment that was settled."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    return payment


def later(world: World, seconds: int = GRACE_SECONDS + 1) -> None:
    """Time passes here, and what is deep is compared."""
    world.skew += seconds
    world.compare()


def standing(world: World, payment: dict[str, Any]) -> Payment:
    """How the ledger holds it."""
    found = world.payment(payment)
    assert found is not None
    return found


# ------------------------------------------------------------------ transfers


def test_what_payments_explain_is_no_discrepancy(shop: World) -> None:
    """Ten payments, compared twice: all transfers are seen, none is unexplained."""
    shop.compare()
    for _ in range(3):
        paid(shop)
    deep(shop)
    later(shop)
    later(shop)
    assert max(fields["transfers"] for fields in said(shop, Event.RECONCILE_SCANNED)) == 3
    assert [rows(shop, name) for name in discrepancies.LISTS.values()] == [[], [], []]
    assert said(shop, Event.RECONCILE_UNEXPLAINED) == []


def test_what_else_a_registered_owners_wallet_earns_is_not_ours_to_explain(shop: World) -> None:
    """Its owner may sell elsewhere, and nobody rings the operator by paying a wallet that is not the operator's."""
    pay_to = shop.requirements.pay_to
    shop.routes = [replace(route, owner=pay_to, revision=1) for route in shop.routes]
    shop.compare()
    paid(shop)
    shop.submit(shop.sign(shop.buyer(), shop.offer()))
    deep(shop)
    shop.reconcile()
    later(shop)
    later(shop)
    assert {fields["receivers"] for fields in said(shop, Event.RECONCILE_SCANNED)} == {0}
    assert [rows(shop, name) for name in discrepancies.LISTS.values()] == [[], [], []]


def test_an_authorization_that_no_payment_explains_is_reported_once(shop: World) -> None:
    """Somebody settles to our payTo beside us: after the grace, and not before, a person is told."""
    shop.compare()
    stray = shop.sign(shop.buyer(), shop.offer())
    transaction = shop.submit(stray)
    deep(shop)
    later(shop, 60)
    (seen,) = rows(shop, discrepancies.SEEN)
    assert (seen["transaction"], seen["amount"], seen["standing"]) == (transaction, PRICE, "SEEN")
    assert said(shop, Event.RECONCILE_UNEXPLAINED) == []
    for _ in range(3):
        later(shop)
    (told,) = said(shop, Event.RECONCILE_UNEXPLAINED)
    assert (told["kind"], told["transaction"], told["amount"]) == ("authorization", transaction, PRICE)
    (row,) = rows(shop, discrepancies.OPEN)
    assert row["nonce"] == stray["payload"]["authorization"]["nonce"]
    assert rows(shop, discrepancies.SEEN) == []
    assert said(shop, Event.RECONCILE_SCANNED)[-1]["discrepancies"] == 1


def test_other_money_is_kept_and_rings_nothing(shop: World) -> None:
    """A plain transfer to the seller's wallet is its own affair; transfers of nothing are not even kept."""
    shop.compare()
    pay_to = str(shop.requirements.pay_to)
    shop.chain.mint(DEPLOYER, 500)
    transaction = shop.chain.send("transfer(address,uint256)", pay_to, 500)
    shop.chain.send("transfer(address,uint256)", pay_to, 0)
    deep(shop)
    later(shop, 60)
    later(shop)
    (row,) = rows(shop, discrepancies.PLAIN)
    assert (row["transaction"], row["amount"], row["standing"]) == (transaction, 500, "PLAIN")
    assert [fields["kind"] for fields in said(shop, Event.RECONCILE_UNEXPLAINED)] == ["plain"]
    assert said(shop, Event.RECONCILE_SCANNED)[-1]["discrepancies"] == 0


def test_a_payment_that_is_booked_within_the_grace_leaves_nothing(shop: World) -> None:
    """Compared before it was booked, as after a crash between chain and books."""
    shop.compare()
    shop.settler.lose_answers = 50
    payment = shop.sign(shop.buyer(), shop.offer())
    assert shop.request(payment=payment, seconds=7).status == 503
    deep(shop)
    later(shop, 50)
    assert len(rows(shop, discrepancies.SEEN)) == 1
    shop.settler.lose_answers = 0
    shop.skew += 40
    shop.reconcile()
    assert standing(shop, payment).state is State.SETTLED
    later(shop)
    assert [rows(shop, name) for name in discrepancies.LISTS.values()] == [[], [], []]
    assert said(shop, Event.RECONCILE_UNEXPLAINED) == []


def test_a_payment_that_reconcile_is_still_at_is_waited_for(shop: World) -> None:
    """However long that takes: the money is known, only its books are not done."""
    shop.compare()
    shop.upstream.behave(answers(500))
    payment = shop.sign(shop.buyer(), shop.offer())
    assert shop.request(payment=payment).status == 500
    shop.submit(payment)
    deep(shop)
    shop.compare()
    # Its late look is due 120 s after its deadline; reconcile does not run meanwhile.
    for _ in range(3):
        later(shop)
    assert said(shop, Event.RECONCILE_UNEXPLAINED) == []
    assert len(rows(shop, discrepancies.SEEN)) == 1
    shop.reconcile()
    assert standing(shop, payment).state is State.PAID_UNSERVED
    later(shop)
    assert rows(shop, discrepancies.SEEN) == []


def test_a_discrepancy_is_closed_when_its_payment_turns_up(shop: World) -> None:
    """The payments table was restored, and what was missing comes back."""
    shop.compare()
    payment = paid(shop)
    stood = standing(shop, payment)
    key = f"LOG#{shop.network}#{stood.transaction}#{stood.log_index}"
    row = shop.table.get(key)
    client: Any = shop.table._client
    client.delete_item(TableName=shop.table._name, Key={"pk": {"S": key}})
    shop.payments.reschedule(stood, None)
    deep(shop)
    later(shop, 60)
    later(shop)
    (reported,) = rows(shop, discrepancies.OPEN)
    assert reported["payment"] == stood.id.digest
    assert row is not None
    client.put_item(TableName=shop.table._name, Item={"pk": {"S": key}, "payment": {"S": row["payment"]}})
    later(shop, 3_700)
    assert rows(shop, discrepancies.OPEN) == []
    closed = shop.table.get(reported["pk"])
    assert closed is not None
    assert closed["standing"] == "CLOSED"
    assert len(said(shop, Event.RECONCILE_EXPLAINED)) == 1


def test_a_receiver_stays_compared_when_its_route_is_gone(shop: World) -> None:
    """And one that no catalogue of this process ever named is taken up by its first receipt."""
    shop.compare()
    old = shop.requirements.pay_to
    sell_to(shop, Address(secrets.token_bytes(20)))
    shop.chain.mint(str(old), 700)
    payment = paid(shop)
    shop.routes = []
    shop.skew += int(shop.info.final_blocks * shop.info.block_seconds) + 30
    shop.reconcile()
    assert standing(shop, payment).state is State.SETTLED
    deep(shop)
    shop.compare()
    assert [row["amount"] for row in rows(shop, discrepancies.SEEN)] == [700]
    assert {c.receiver.pay_to for c in shop.discrepancies.cursors(FAR, 10)[0]} == {old, shop.requirements.pay_to}


def test_nothing_is_skipped_when_the_node_fails_or_limits_its_ranges(
    aws_endpoint: str, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals halve the range and stop the turn; what was not answered is asked again, until all of it is seen."""
    chain.mine_at_once()
    gate = RpcGate(chain.url)
    gate.start()
    try:
        with a_world(aws_endpoint, chain, rpc_url=gate.url) as shop:
            monkeypatch.setattr(scan, "CHUNK_BLOCKS", 64)
            sell_to(shop, Address(secrets.token_bytes(20)))
            shop.compare()
            paid_to = str(shop.requirements.pay_to)
            for _ in range(4):
                shop.chain.mint(paid_to, 9)
                shop.chain.mine(40)
            refusing = gate.rule(Act.ERROR, "eth_getLogs", code=-32602, message="range is too large")
            for _ in range(2):
                later(shop, 60)
            assert rows(shop, discrepancies.SEEN) == []
            spans = [cursor.span for cursor in shop.discrepancies.cursors(FAR, 10)[0]]
            assert spans[0] < 64
            assert said(shop, Event.RECONCILE_SCANNED)[-1]["lag_seconds"] >= 120
            refusing.release()
            deep(shop)
            later(shop, 60)
            assert len(rows(shop, discrepancies.SEEN)) == 4
            assert said(shop, Event.RECONCILE_SCANNED)[-1]["lag_seconds"] == 0
    finally:
        gate.stop()


def test_a58_a_node_that_has_not_the_block_yet_proves_no_absence(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another node behind the endpoint knew of the head; this one has no logs of it, nor its block."""
    shop.compare()
    shop.chain.mint(str(shop.requirements.pay_to), 9)
    deep(shop)
    before = [cursor.next for cursor in shop.discrepancies.cursors(FAR, 10)[0]]
    ask = shop.evm._ask

    def lagging(calls: Any, timeout: float) -> list[Any]:
        return [None, []] if any(method == "eth_getLogs" for method, _ in calls) else ask(calls, timeout)

    monkeypatch.setattr(shop.evm, "_ask", lagging)
    later(shop, 60)
    assert [cursor.next for cursor in shop.discrepancies.cursors(FAR, 10)[0]] == before
    monkeypatch.undo()
    later(shop, 60)
    assert len(rows(shop, discrepancies.SEEN)) == 1


def test_a99_two_comparisons_that_overlap_write_each_row_once(shop: World) -> None:
    """The second reads while the first has not written its cursor; the slower one stops."""
    shop.compare()
    shop.submit(shop.sign(shop.buyer(), shop.offer()))
    deep(shop)
    shop.skew += 60
    reached = shop.discrepancies.reach
    interleaved: list[int] = []

    def meanwhile(*args: Any) -> Any:
        if not interleaved:
            interleaved.append(1)
            shop.skew += 60
            shop.compare()
        return reached(*args)

    shop.discrepancies.reach = meanwhile  # type: ignore[method-assign]
    shop.compare()
    assert interleaved
    assert len(rows(shop, discrepancies.SEEN)) == 1
    for _ in range(2):
        later(shop)
    assert len(said(shop, Event.RECONCILE_UNEXPLAINED)) == 1


def test_a_comparison_without_time_left_does_nothing_and_says_how_far_it_is_behind(shop: World) -> None:
    """Payments come first; what is not compared shows as lag."""
    shop.compare()
    shop.chain.mint(str(shop.requirements.pay_to), 9)
    deep(shop)
    shop.skew += 500
    shop.compare(seconds=1)
    assert rows(shop, discrepancies.SEEN) == []
    assert said(shop, Event.RECONCILE_SCANNED)[-1]["lag_seconds"] >= 500


# ------------------------------------------------------------------ receipts


def final(world: World) -> None:
    """Everything that is settled is final."""
    world.skew += int(world.info.final_blocks * world.info.block_seconds) + 30


def test_a_receipt_whose_log_pair_is_on_chain_is_looked_up_once(shop: World) -> None:
    """Then the payment is done with."""
    payment = paid(shop)
    asked: list[str] = []
    receipt = shop.evm.receipt

    def counted(transactions: Any, timeout: float) -> Receipt | None:
        asked.append(str(transactions[0]))
        return receipt(transactions, timeout)

    shop.evm.receipt = counted  # type: ignore[method-assign]
    final(shop)
    for _ in range(3):
        shop.reconcile()
        shop.skew += 1_000
    assert asked == [str(standing(shop, payment).transaction)]
    assert rows(shop, discrepancies.OPEN) == []


def test_the_receipt_of_money_for_nothing_is_looked_up_too(shop: World) -> None:
    """PAID_UNSERVED has a receipt as well; then it waits for its refund, off the list."""
    shop.upstream.behave(answers(500))
    payment = shop.sign(shop.buyer(), shop.offer())
    assert shop.request(payment=payment).status == 500
    shop.submit(payment)
    shop.skew += 400
    shop.reconcile()
    assert standing(shop, payment).state is State.PAID_UNSERVED
    asked: list[str] = []
    receipt = shop.evm.receipt

    def counted(transactions: Any, timeout: float) -> Receipt | None:
        asked.append(str(transactions[0]))
        return receipt(transactions, timeout)

    shop.evm.receipt = counted  # type: ignore[method-assign]
    shop.skew += 60
    shop.reconcile()
    assert asked == []
    final(shop)
    for _ in range(2):
        shop.reconcile()
        shop.skew += 1_000
    assert asked == [str(standing(shop, payment).transaction)]
    assert (shop.table.get(f"PAY#{standing(shop, payment).id.digest}") or {})["work"] == OWED


@pytest.mark.parametrize("lie", ["value", "index"])
def test_a_receipt_that_no_log_explains_is_reported(shop: World, lie: str) -> None:
    """It was booked on a proof that the final chain does not show."""
    payment = paid(shop)
    change = ("#v = #v + :one", "value") if lie == "value" else ("#v = #v - :one", "log_index")
    client: Any = shop.table._client
    client.update_item(
        TableName=shop.table._name,
        Key={"pk": {"S": f"PAY#{standing(shop, payment).id.digest}"}},
        UpdateExpression=f"SET {change[0]}",
        ExpressionAttributeNames={"#v": change[1]},
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    final(shop)
    shop.reconcile()
    shop.skew += 1_000
    shop.reconcile()
    (told,) = said(shop, Event.RECONCILE_UNEXPLAINED)
    assert (told["kind"], told["why"]) == ("receipt", "log_pair_not_found")
    (row,) = rows(shop, discrepancies.OPEN)
    assert row["payment"] == standing(shop, payment).id.digest
    shop.compare()
    assert said(shop, Event.RECONCILE_SCANNED)[-1]["discrepancies"] == 1


def test_a58_a_receipt_that_is_not_found_is_asked_for_again_before_anybody_is_told(shop: World) -> None:
    """Half an hour long; and when it turns up after all, the discrepancy closes itself."""
    payment = paid(shop)
    receipt, shop.evm.receipt = shop.evm.receipt, lambda *_: None  # type: ignore[method-assign]
    final(shop)
    for look in range(1, receipts.LOOKS + 1):
        assert said(shop, Event.RECONCILE_UNEXPLAINED) == [], look
        shop.reconcile()
        shop.skew += 901
    (told,) = said(shop, Event.RECONCILE_UNEXPLAINED)
    assert (told["kind"], told["why"]) == ("receipt", "transaction_not_found")
    shop.evm.receipt = receipt  # type: ignore[method-assign]
    later(shop, 3_700)
    assert rows(shop, discrepancies.OPEN) == []
    assert len(said(shop, Event.RECONCILE_EXPLAINED)) == 1
    shop.reconcile()
    assert "due" not in (shop.table.get(f"PAY#{standing(shop, payment).id.digest}") or {})
