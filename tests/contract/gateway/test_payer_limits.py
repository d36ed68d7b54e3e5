"""What a payer has under way: counted in the claim's transaction, bounded by the balance, counted out by the end."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.support.upstream import answers, sunny
from tests.support.world import PRICE, World, body_of
from tollgate.ledger.payers import BLOCK_SECONDS, STRIKES
from tollgate.ledger.payment_items import payer_key
from tollgate.payment.states import State
from tollgate.wire.reasons import Reason


def under_way(world: World, payment: dict[str, object]) -> tuple[int, int]:
    """Payments and atomic units that the payer's row counts."""
    row = world.table.get(payer_key(world.id_of(payment))) or {}
    return row.get("open", 0), row.get("open_value", 0)


def test_a48_payments_over_one_balance_do_not_run_the_upstream_each(world: World) -> None:
    """Eight payments, money for one: one run at a time, the others are 429 without an offer, nothing written."""
    account = world.chain.funded_account(PRICE)
    required = world.offer()
    payments = [world.sign(account, required) for _ in range(8)]
    world.upstream.hold()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(world.request, payment=payments[0])
        world.upstream.wait_entered()
        others = [world.request(payment=payment) for payment in payments[1:]]
        world.upstream.release()
        assert first.result().status == 200
    assert [answer.status for answer in others] == [429] * 7
    assert all(answer.header("payment-required") is None for answer in others)
    assert all(answer.header("retry-after") for answer in others)
    assert {body_of(answer)["code"] for answer in others} == {"payer_limit"}
    assert world.upstream.runs == 1
    assert all(world.payment(payment) is None for payment in payments[1:])
    assert world.sent() == 1


def test_a72_one_payer_at_the_limit_does_not_stop_another(world: World) -> None:
    """The limit is each payer's own."""
    world.most_open = 2
    world.gateway = world.make_gateway()
    busy, other = world.buyer(), world.buyer()
    required = world.offer()
    world.upstream.hold()
    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(world.request, payment=world.sign(busy, required)) for _ in range(2)]
        world.upstream.wait_entered(2)
        assert world.request(payment=world.sign(busy, required)).status == 429
        served = pool.submit(world.request, payment=world.sign(other, required))
        world.upstream.wait_entered(3)
        world.upstream.release()
        assert [call.result().status for call in (*held, served)] == [200] * 3


def test_a_payment_counts_itself_out_whatever_its_end(world: World) -> None:
    """Settled, released, given up by a dead owner, reversed and settled again: nothing is left under way."""
    account = world.buyer()
    required = world.offer()
    settled = world.sign(account, required)
    assert world.request(payment=settled).status == 200
    assert under_way(world, settled) == (0, 0)
    world.upstream.behave(answers(500))
    released = world.sign(account, required)
    assert world.request(payment=released).status == 500
    world.upstream.behave(sunny)
    assert under_way(world, released) == (0, 0)
    standing = world.payment(settled)
    assert standing is not None
    reversed_ = world.books.reverse(standing, int(world.clock()))
    assert under_way(world, settled) == (1, PRICE)
    world.payments.reopen(reversed_, int(world.clock()))
    assert world.request(payment=settled).status in (200, 503)
    world.skew += 120
    world.reconcile()
    assert world.payment(settled).state is State.SETTLED  # type: ignore[union-attr]
    assert under_way(world, settled) == (0, 0)


def test_a_known_payment_gets_its_own_answer_even_when_its_payer_is_at_the_limit(world: World) -> None:
    """What is known is never merely refused (rule 1): here it is itself what fills the limit."""
    world.most_open = 1
    world.gateway = world.make_gateway()
    payment = world.sign(world.buyer(), world.offer())
    world.settler.down = True
    assert world.request(payment=payment, seconds=7.5).status == 503
    assert world.request(payment=payment, seconds=4).status == 503
    world.settler.down = False
    world.skew += 15
    assert world.request(payment=payment).status == 200


def test_a62_a_payer_whose_runs_stay_unpaid_waits_an_hour(world: World) -> None:
    """The wallet is emptied while the upstream runs, five times; the sixth payment is not even begun."""
    required = world.offer()
    account = world.buyer()
    for _ in range(STRIKES):
        payment = world.sign(account, required)
        assert world.request(payment=payment).status == 200
        standing = world.payment(payment)
        assert standing is not None
        reversed_ = world.books.reverse(standing, int(world.clock()))
        again = world.payments.reopen(reversed_, int(world.clock()))
        world.payments.unpaid(again, Reason.AUTHORIZATION_CANCELLED, int(world.clock()))
        assert under_way(world, payment) == (0, 0)
    runs = world.upstream.runs
    refused = world.request(payment=world.sign(account, required))
    assert refused.status == 429
    assert refused.header("payment-required") is None
    assert 0 < int(refused.header("retry-after") or 0) <= BLOCK_SECONDS
    assert world.upstream.runs == runs
    world.advance(BLOCK_SECONDS + 1)
    assert world.request(payment=world.sign(account, world.offer())).status == 200


def test_parallel_payments_of_one_payer_all_count(world: World) -> None:
    """Twelve at once, through a barrier: the row ends where it began."""
    account = world.buyer()
    required = world.offer()
    payments = [world.sign(account, required) for _ in range(12)]
    barrier = threading.Barrier(12)

    def call(payment: dict[str, object]) -> int:
        barrier.wait()
        return world.request(payment=payment, seconds=25).status

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(call, payments)) == {200}
    assert under_way(world, payments[0]) == (0, 0)
    assert world.revenue() == (12 * PRICE, 12)
