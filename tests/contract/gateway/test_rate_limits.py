"""Limits per payer and per route: counted in the claim's transaction, and nothing else of a payment is touched."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.support.buyer import encode
from tests.support.upstream import answers, sunny
from tests.support.world import ELSEWHERE, HERE, World, body_of
from tollgate.edge.answers import render
from tollgate.gateway.messages import Request
from tollgate.ledger.payment_items import payer_key
from tollgate.payment.events import Event
from tollgate.payment.rate_limits import RateLimit, RouteLimits
from tollgate.payment.states import State

HOUR = 3600


@pytest.fixture(autouse=True)
def middle_of_a_window(world: World) -> None:
    """No window ends while a test runs."""
    world.advance(int(-world.clock() % HOUR) + 600)


def limit(world: World, *, payer: int | None = None, route: int | None = None) -> None:
    """Limits on the first route, per hour."""
    limits = RouteLimits(*(None if calls is None else RateLimit(calls, HOUR) for calls in (payer, route)))
    world.routes[0] = replace(world.routes[0], limits=limits)


def bought(world: World, payer: str = "") -> int:
    """What a row counts in its window."""
    row = world.table.get(f"RATE#{HOUR}#weather#{payer.lower()}")
    return int((row or {}).get("bought", 0))


def test_a_payer_over_the_limit_is_429_before_anything_is_claimed(world: World) -> None:
    """Not charged, nothing written, told when to come again; another payer, and another route, are not concerned."""
    limit(world, payer=2)
    account = world.buyer()
    required = world.offer()
    for _ in range(2):
        assert world.request(payment=world.sign(account, required)).status == 200
    over = world.sign(account, required)
    answer = world.request(payment=over)
    assert (answer.status, body_of(answer)["code"]) == (429, "rate_limit")
    assert body_of(answer)["details"] == {"per": "payer", "calls": 2, "seconds": HOUR}
    assert 0 < int(answer.header("retry-after") or 0) <= 2 * HOUR
    assert answer.header("payment-required") is None
    assert (world.payment(over), world.upstream.runs, world.sent()) == (None, 2, 2)
    assert (world.table.get(payer_key(world.id_of(over))) or {})["open"] == 0
    assert bought(world, account.address) == 2
    assert world.diary.count(Event.RATE_LIMITED) == 1
    assert world.request(payment=world.sign(world.buyer(), required)).status == 200
    assert world.request("/forecast/paris", payment=world.sign(account, world.offer("/forecast/paris"))).status == 200


def test_after_the_wait_the_same_payer_buys_again(world: World) -> None:
    """By then with a new payment: Retry-After says when there is one more."""
    limit(world, payer=1)
    account = world.buyer()
    assert world.request(payment=world.sign(account, world.offer())).status == 200
    wait = int(world.request(payment=world.sign(account, world.offer())).header("retry-after") or 0)
    world.advance(wait - 5)
    assert world.request(payment=world.sign(account, world.offer())).status == 429
    world.advance(5)
    assert world.request(payment=world.sign(account, world.offer())).status == 200


def test_all_payers_together_are_limited_by_the_route(world: World) -> None:
    """And the longer wait is told."""
    limit(world, payer=2, route=3)
    accounts = [world.buyer() for _ in range(2)]
    required = world.offer()
    for account in (accounts[0], accounts[0], accounts[1]):
        assert world.request(payment=world.sign(account, required)).status == 200
    answer = world.request(payment=world.sign(accounts[1], required))
    assert (answer.status, body_of(answer)["details"]["per"]) == (429, "route")
    assert (bought(world), bought(world, accounts[1].address)) == (3, 1)


def test_a_resend_is_never_limited(world: World) -> None:
    """Served, pending or under way: what is known gets its own answer, and counts once."""
    limit(world, payer=1)
    account = world.buyer()
    payment = world.sign(account, world.offer())
    world.settler.down = True
    assert world.request(payment=payment, seconds=7.5).status == 503
    assert world.request(payment=payment, seconds=4).status == 503
    world.settler.down = False
    world.skew += 15
    assert world.request(payment=payment).status == 200
    assert world.request(payment=payment).body == b"sunny"
    assert world.request(payment=payment, source=ELSEWHERE).status == 409
    assert bought(world, account.address) == 1


def test_a_resend_that_comes_while_the_first_runs_is_not_limited(world: World) -> None:
    """The only place is taken by the payment itself: it is waited for, and both get the answer of one run."""
    limit(world, payer=1, route=1)
    payment = world.sign(world.buyer(), world.offer())
    world.upstream.hold()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(world.request, payment=payment, seconds=20)
        world.upstream.wait_entered()
        again = pool.submit(world.request, payment=payment, seconds=20)
        while not world.diary.count(Event.PAYMENT_WAITED) and not again.done():
            world.sleep(0.05)
        world.upstream.release()
        assert [first.result().status, again.result().status] == [200, 200]
    assert (world.upstream.runs, bought(world)) == (1, 1)


def test_a_second_payment_for_an_unknown_first_is_not_limited(world: World) -> None:
    """Its buyer was answered 503 and signed again: it gets the first one's outcome, which is no purchase."""
    limit(world, payer=1)
    account = world.buyer()
    payment = world.sign(account, world.offer())
    world.settler.down = True
    assert world.request(payment=payment, seconds=7.5).status == 503
    world.settler.down = False
    world.skew += 15
    second = world.sign(account, world.offer())
    assert world.request(payment=second).body == b"sunny"
    assert (world.payment(second), world.upstream.runs) == (None, 1)


def test_what_is_unpaid_or_refused_is_not_counted(world: World) -> None:
    """Only a claim counts: no request without a payment, and no payment that is refused."""
    limit(world, payer=1, route=1)
    account = world.buyer()
    required = world.offer()
    for _ in range(3):
        assert world.request().status == 402
    broken = world.sign(account, required)
    broken["payload"]["signature"] = "0x" + "11" * 65
    assert world.request(payment=broken).status == 402
    poor = world.sign(world.chain.funded_account(1), required)
    assert world.request(payment=poor).status == 402
    assert bought(world) == bought(world, account.address) == 0
    assert world.request(payment=world.sign(account, required)).status == 200


def test_a_run_that_failed_counts_and_is_not_charged(world: World) -> None:
    """It was work for the upstream all the same."""
    limit(world, payer=1)
    account = world.buyer()
    world.upstream.behave(answers(500))
    payment = world.sign(account, world.offer())
    assert world.request(payment=payment).status == 500
    world.upstream.behave(sunny)
    assert world.request(payment=world.sign(account, world.offer())).status == 429
    assert world.request(payment=payment).status == 402
    assert world.payment(payment).state is State.RELEASED  # type: ignore[union-attr]


def test_a72_parallel_payments_never_take_more_places_than_there_are(world: World) -> None:
    """Twelve at once, of four payers, at gateways that share nothing but the table: five are served."""
    limit(world, payer=2, route=5)
    required = world.offer()
    accounts = [world.buyer() for _ in range(4)]
    calls: list[dict[str, Any]] = [world.sign(accounts[n % 4], required) for n in range(12)]
    gateways = [world.make_gateway() for _ in calls]
    barrier = threading.Barrier(len(calls))

    def call(n: int) -> int:
        barrier.wait()
        sent = {"payment-signature": encode(calls[n])}
        request = Request("GET", "/weather/paris", "", sent, b"", HERE)
        return render(gateways[n].handle(request, world.clock() + 25)).status

    with ThreadPoolExecutor(len(calls)) as pool:
        statuses = list(pool.map(call, range(len(calls))))
    assert sorted(statuses) == [200] * 5 + [429] * 7
    assert (bought(world), world.upstream.runs) == (5, 5)
    assert all(bought(world, account.address) <= 2 for account in accounts)


def test_windows_roll_over_under_parallel_calls(world: World) -> None:
    """The first calls of a new window come at once: each finds the row as the others left it, or reads again."""
    limit(world, route=40)
    required = world.offer()
    for _ in range(2):
        assert world.request(payment=world.sign(world.buyer(), required)).status == 200
    world.advance(HOUR)
    fresh = [world.sign(world.buyer(), world.offer()) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda payment: world.request(payment=payment, seconds=25).status, fresh))
    assert statuses == [200] * 6
    row = world.table.get(f"RATE#{HOUR}#weather#")
    assert row is not None
    assert (row["bought"], row["before"]) == (6, 2)
    world.advance(5 * HOUR)
    assert world.request(payment=world.sign(world.buyer(), world.offer())).status == 200
    assert (world.table.get(f"RATE#{HOUR}#weather#") or {})["before"] == 0
