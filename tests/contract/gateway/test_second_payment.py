"""A buyer who was answered 503 and signs again: charged once, and told the first payment's outcome (rule 5)."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.world import ELSEWHERE, PRICE, World, receipt_of
from tollgate.payment.states import State


def unknown(world: World, account: object) -> dict[str, object]:
    """A payment whose settlement was answered 503."""
    payment = world.sign(account, world.offer())  # type: ignore[arg-type]
    world.settler.down = True
    answer = world.request(payment=payment, seconds=7.5)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    return payment


def test_a_second_payment_gets_the_firsts_pending_and_then_its_answer(world: World) -> None:
    """Never claimed, never settled, from wherever it comes; the answer comes with the first one's receipt."""
    account = world.buyer()
    first = unknown(world, account)
    second = world.sign(account, world.offer())
    waiting = world.request(payment=second, seconds=7.5, source=ELSEWHERE)
    assert waiting.status == 503
    assert waiting.header("payment-required") is None
    assert world.payment(second) is None
    world.settler.down = False
    served = world.request(payment=second, source=ELSEWHERE)
    if served.status == 503:
        world.skew += 15
        world.reconcile()
        served = world.request(payment=second, source=ELSEWHERE)
    assert served.status == 200
    assert receipt_of(served)["transaction"] == str(world.payment(first).transaction)  # type: ignore[union-attr]
    assert world.payment(second) is None
    assert world.upstream.runs == 1
    assert world.sent() == 1
    assert world.chain.balance(account.address) == 100_000_000 - PRICE
    # A lost answer is no second purchase either.
    assert world.request(payment=second, source=ELSEWHERE).status == 200
    assert world.upstream.runs == 1


def test_a_third_payment_is_a_purchase_of_its_own(world: World) -> None:
    """Once the outcome was given, the same request can be bought again."""
    account = world.buyer()
    unknown(world, account)
    world.settler.down = False
    world.skew += 60
    world.reconcile()
    second, third = world.sign(account, world.offer()), world.sign(account, world.offer())
    assert world.request(payment=second).status == 200
    assert world.upstream.runs == 1
    assert world.request(payment=third).status == 200
    assert world.upstream.runs == 2
    assert world.payment(third).state is State.SETTLED  # type: ignore[union-attr]


def test_after_the_first_was_resent_and_served_a_second_is_a_purchase_of_its_own(world: World) -> None:
    """The buyer has the first one's answer: nothing is owed."""
    account = world.buyer()
    first = unknown(world, account)
    world.settler.down = False
    world.skew += 60
    world.reconcile()
    assert world.request(payment=first).status == 200
    assert world.request(payment=world.sign(account, world.offer())).status == 200
    assert world.upstream.runs == 2


def test_a_second_payment_is_right_once_the_first_is_proven_unpaid(world: World) -> None:
    """The first expired unused: the second is claimed and served."""
    account = world.buyer()
    first = unknown(world, account)
    world.advance(400)
    world.chain.mine(10)
    world.settler.down = False
    world.reconcile()
    assert world.payment(first).state is State.UNPAID  # type: ignore[union-attr]
    assert world.request(payment=world.sign(account, world.offer())).status == 200
    assert world.chain.balance(account.address) == 100_000_000 - PRICE


def test_another_request_of_the_payer_is_not_held_up(world: World) -> None:
    """The row is about one request."""
    account = world.buyer()
    unknown(world, account)
    world.settler.down = False
    path = "/weather/rome"
    assert world.request(path, payment=world.sign(account, world.offer(path))).status == 200


def test_another_payer_is_not_held_up(world: World) -> None:
    """Nor gets anything of somebody else's payment."""
    first = unknown(world, world.buyer())
    world.settler.down = False
    stranger = world.buyer()
    answer = world.request(payment=world.sign(stranger, world.offer()))
    assert answer.status == 200
    assert receipt_of(answer)["payer"].lower() == stranger.address.lower()
    assert world.payment(first).state is State.SETTLING  # type: ignore[union-attr]


def test_a_balance_that_went_into_the_first_is_no_reason_for_an_offer(world: World) -> None:
    """The first one took the last money and was answered 503: the second gets its outcome, not "sign again"."""
    account = world.chain.funded_account(PRICE)
    payment = world.sign(account, world.offer())
    world.settler.lose_answers = 100
    answer = world.request(payment=payment, seconds=7.5)
    assert answer.status == 503
    second = world.request(payment=world.sign(account, world.offer()), seconds=7.5)
    assert second.status == 503
    assert second.header("payment-required") is None
    world.settler.lose_answers = 0
    world.skew += 60
    world.reconcile()
    third = world.request(payment=world.sign(account, world.offer()))
    assert third.status == 200
    assert world.upstream.runs == 1


def test_a_duplicate_that_was_told_to_wait_counts_too(world: World) -> None:
    """The first is still being served when the buyer gives up on a duplicate and signs again."""
    account = world.buyer()
    first = world.sign(account, world.offer())
    world.upstream.hold()
    with ThreadPoolExecutor(1) as pool:
        owner = pool.submit(world.request, payment=first, seconds=20)
        world.upstream.wait_entered()
        assert world.request(payment=first, seconds=3.5).status == 503
        assert world.request(payment=world.sign(account, world.offer()), seconds=3.5).status == 503
        world.upstream.release()
        assert owner.result().status == 200
    assert world.upstream.runs == 1
    assert world.sent() == 1


def test_a_strangers_transaction_opens_nothing_to_a_second_payment(world: World) -> None:
    """Rule 3: what somebody else submitted needs a fresh signature on that very payment."""
    account = world.buyer()
    first = unknown(world, account)
    world.submit(first)
    world.settler.down = False
    world.skew += 60
    world.reconcile()
    standing = world.payment(first)
    assert standing is not None
    assert standing.state is State.SETTLED
    assert not standing.ours
    second = world.sign(account, world.offer())
    for _ in range(2):
        assert world.request(payment=second).status == 409
    assert world.payment(second) is None
    # Told once; the next one is a purchase of its own, not 409 until the row is gone.
    third = world.sign(account, world.offer())
    assert world.request(payment=third).status == 200
    assert world.payment(third).state is State.SETTLED  # type: ignore[union-attr]
