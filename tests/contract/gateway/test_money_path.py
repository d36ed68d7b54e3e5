"""Attempts to be served unpaid, to pay twice, to lose a payment, and to learn what is somebody else's.

Each was made by a reviewer against the running parts; the ones that once worked say so.
"""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from local.chain import DEPLOYER, calldata
from tests.support.buyer import decode, fresh_signature
from tests.support.upstream import answers, slowly
from tests.support.world import BASE_URL, ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.chain.evm import ChainCheck
from tollgate.edge.http_api import read_request
from tollgate.errors import BadRequest
from tollgate.payment.events import Event
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.wire.reasons import Reason

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"
UINT256_MAX = str(2**256 - 1)


def state_of(world: World, payment: dict[str, Any]) -> State:
    """How the payment stands."""
    found = world.payment(payment)
    assert found is not None
    return found.state


def rows(world: World) -> int:
    """How many items the payments table holds."""
    return int(world.table._client.scan(TableName=world.table._name, Select="COUNT")["Count"])


def no_offer(answer: Any) -> bool:
    """Whether an answer names no price."""
    return answer.header("payment-required") is None and answer.status != 402


# ------------------------------------------------------------------ offers while money may have moved


def test_a_released_payment_that_was_used_all_the_same_is_no_offer(world: World) -> None:
    """It worked once: RELEASED was answered with an offer although the money had reached the seller."""
    world.upstream.behave(answers(500))
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 500
    transaction = world.submit(payment)
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert no_offer(answer)
    assert body_of(answer)["details"]["transaction"] == transaction
    assert world.upstream.runs == 1


def test_a_released_payment_in_the_mempool_is_no_offer_either(world: World) -> None:
    """It will be used in the next block: nobody can say yet, so nobody names a price."""
    world.upstream.behave(answers(500))
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 500
    world.chain.stop_mining()
    try:
        submit_unmined(world, payment)
        answer = world.request(payment=payment)
        assert answer.status == 503
        assert no_offer(answer)
    finally:
        world.chain.mine_at_once()
        world.chain.mine()
    assert world.request(payment=payment).status == 409


def test_a_released_payment_used_before_a_price_change_is_no_offer(world: World) -> None:
    """Terms are refused before the chain is asked; the money has moved all the same."""
    world.upstream.behave(answers(500))
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 500
    world.submit(payment)
    world.routes[0] = world.route("weather", "GET", "/weather/{city}", accepts=(dearer(world),))
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert no_offer(answer)


def test_a_released_payment_that_nobody_used_gets_an_offer(world: World) -> None:
    """The control: no money moved."""
    world.upstream.behave(answers(500))
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 500
    answer = world.request(payment=payment)
    assert (answer.status, answer.header("payment-required") is None) == (402, False)


def test_a_released_payment_that_was_cancelled_gets_an_offer(world: World) -> None:
    """The control: its nonce is used up, but no money moved."""
    world.upstream.behave(answers(500))
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    assert world.request(payment=payment).status == 500
    cancel(world, buyer, payment)
    assert no_offer(world.request(payment=payment))  # a reorganisation could take the cancellation back
    world.chain.mine(world.chain.info.confirmations)
    answer = world.request(payment=payment)
    assert (answer.status, answer.header("payment-required") is None) == (402, False)


def test_a_dead_owners_payment_that_a_stranger_submitted_is_no_offer(world: World) -> None:
    """Rule 11 releases the claim; what the chain shows decides what is answered."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    die_in_the_upstream(world, payment)
    world.submit(payment)
    world.skew += 60
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert no_offer(answer)


def test_reversed_is_waited_for_without_an_offer(world: World) -> None:
    """Its block is gone, its money may come back: 503."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    world.books.reverse(known(world, payment), int(world.clock()))
    answer = world.request(payment=payment, seconds=5)
    assert answer.status == 503
    assert no_offer(answer)
    assert b"sunny" not in answer.body
    world.skew += 60
    world.reconcile()
    assert state_of(world, payment) is State.SETTLED
    assert world.revenue() == (PRICE, 1)
    assert world.request(payment=payment).body == b"sunny"
    assert world.sent() == 1


# ------------------------------------------------------------------ payments that nobody finishes


def test_money_that_comes_late_after_a_reversal_is_booked(world: World) -> None:
    """It worked once: the reversed receipt stood in the way, and the liability was never written."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    now = int(world.clock())
    reversed_ = world.books.reverse(known(world, payment), now)
    world.payments.unpaid(world.payments.reopen(reversed_, now), Reason.AUTHORIZATION_EXPIRED_UNUSED, now)
    world.advance(400)
    world.reconcile()
    assert state_of(world, payment) is State.PAID_UNSERVED
    assert world.row("LIA", payment) is not None


def test_a_settle_that_refuses_for_ever_does_not_keep_a_payment_open_for_ever(world: World) -> None:
    """It worked once: SETTLING without end, although the authorization had expired unused at depth."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.settler.down = True
    assert world.request(payment=payment, seconds=7).status == 503
    world.advance(500)
    world.chain.mine(7)
    world.reconcile(seconds=8)
    assert state_of(world, payment) is State.UNPAID
    assert world.row("DEBT", payment) is not None
    assert world.request(payment=payment).status == 402


def test_a_used_payment_is_never_called_unpaid_while_settle_is_silent(world: World) -> None:
    """The control: paid on chain, settle out of reach. The money is booked, and there is no offer."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.settler.down = True
    assert world.request(payment=payment, seconds=7).status == 503
    world.submit(payment)
    world.advance(500)
    world.chain.mine(7)
    world.reconcile(seconds=8)
    assert state_of(world, payment) is State.SETTLED
    assert world.revenue() == (PRICE, 1)
    assert no_offer(world.request(payment=payment))


def test_a_height_from_a_node_that_is_ahead_hides_no_use(world: World) -> None:
    """It worked once: nonce and height came from two nodes behind one URL, the use lay below the height,
    and the payment stayed SETTLING although the seller had the money."""
    good = world.evm.check

    def ahead(*args: Any, **kwargs: Any) -> ChainCheck:
        check = good(*args, **kwargs)
        return replace(check, head=replace(check.head, number=check.head.number + 4))

    world.evm.check = ahead  # type: ignore[method-assign]
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)

    def submit_then_answer(handler: Any) -> None:
        world.submit(payment)
        world.chain.mine(10)
        answers(200, b"sunny")(handler)

    world.upstream.behave(submit_then_answer)
    answer = world.request(payment=payment, seconds=9)
    assert answer.status == 409
    assert state_of(world, payment) is State.SETTLED
    assert world.revenue() == (PRICE, 1)


def test_an_item_that_cannot_be_read_does_not_stop_the_pass(world: World) -> None:
    """It worked once: an unreadable item at the head of the list kept every other payment open."""
    payments = [world.sign(world.buyer(), world.offer()) for _ in range(3)]
    world.settler.down = True
    for payment in payments:
        assert world.request(payment=payment, seconds=7).status == 503
    world.settler.down = False
    spoil(world, payments[0])
    world.skew += 60
    with pytest.raises(ValueError, match="FROM_THE_FUTURE"):
        world.reconcile()
    assert [state_of(world, p) for p in payments[1:]] == [State.SETTLED, State.SETTLED]
    assert world.diary.count(Event.RECONCILE_ITEM_FAILED) == 1


def test_owner_resends_and_reconcile_together_settle_once(world: World) -> None:
    """Everybody may finish a dead SETTLING; the chain and the books see it once."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.settler.down = True
    assert world.request(payment=payment, seconds=7).status == 503
    world.settler.down = False
    world.skew += 30
    with ThreadPoolExecutor(6) as pool:
        passes = [pool.submit(world.reconcile) for _ in range(3)]
        resends = [pool.submit(world.request, payment=payment, seconds=15) for _ in range(3)]
        [p.result() for p in passes]
        results = [r.result() for r in resends]
    assert {(r.status, r.body) for r in results} == {(200, b"sunny")}
    assert world.sent() == 1
    assert world.upstream.runs == 1
    assert world.revenue() == (PRICE, 1)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("nth", range(1, 6))
def test_a_proxy_killed_around_any_of_its_writes_leaves_nothing_open(world: World, nth: int, applied: bool) -> None:
    """Claim, hold, take over, book, note: the process is gone before or just after the n-th request to the table."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    kill_at_call(world, nth, applied=applied)
    with suppress(Killed):
        assert world.request(payment=payment).status == 200
    revive(world)
    for _ in range(2):
        world.skew += 40
        world.reconcile()
    answer = world.request(payment=payment)
    paid = world.sent() == 1
    assert world.upstream.runs <= 1
    assert world.revenue() == ((PRICE, 1) if paid else (0, 0))
    if paid:
        assert (answer.status, answer.body) == (200, b"sunny")
        assert state_of(world, payment) is State.SETTLED
    else:
        # By now the authorization has expired: released by reconcile, or never written.
        assert answer.status == 402
        found = world.payment(payment)
        assert found is None or found.state is State.RELEASED


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_reconcile_killed_around_any_of_its_writes_leaves_nothing_open(world: World, nth: int, applied: bool) -> None:
    """The next pass goes on from what stands there, and money is booked once."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.settler.down = True
    assert world.request(payment=payment, seconds=7).status == 503
    world.settler.down = False
    world.skew += 40
    kill_at_call(world, nth, applied=applied)
    with suppress(Killed):
        world.reconcile()
    revive(world)
    for _ in range(2):
        world.skew += 100
        world.reconcile()
    assert state_of(world, payment) is State.SETTLED
    assert world.sent() == 1
    assert world.revenue() == (PRICE, 1)
    assert world.request(payment=payment).body == b"sunny"
    assert world.upstream.runs == 1


# ------------------------------------------------------------------ what a stranger learns


def test_a_stranger_does_not_learn_what_was_bought(world: World) -> None:
    """It worked once: the 409 told whoever rebuilt a header from the chain which path its payer had paid for."""
    payment = world.sign(world.buyer(), world.offer("/weather/a-private-place"), identifier=IDENTIFIER)
    assert world.request("/weather/a-private-place", payment=payment).status == 200
    rebuilt = {k: v for k, v in payment.items() if k not in ("resource", "extensions")}
    answer = world.request("/weather/rome", payment=rebuilt, source=ELSEWHERE)
    assert answer.status == 409
    assert b"a-private-place" not in answer.body
    assert body_of(answer)["details"]["signIn"]["uri"] == f"{BASE_URL}/weather/rome"


def test_a_stranger_in_every_state_gets_no_body_and_holds_no_slot(world: World) -> None:
    """Rebuilt header, other address, no identifier: EXECUTING, SETTLING and SETTLED alike."""
    world.upstream.behave(slowly(1.5))
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    rebuilt = {k: v for k, v in payment.items() if k != "extensions"}
    with ThreadPoolExecutor(2) as pool:
        owner = pool.submit(world.request, payment=payment)
        while world.payment(payment) is None:
            pass
        executing = world.request(payment=rebuilt, source=ELSEWHERE)
        assert owner.result().status == 200
    assert (executing.status, no_offer(executing)) == (503, True)
    assert world.row("WAIT", payment) is None
    assert world.request(payment=rebuilt, source=ELSEWHERE).status == 409


@pytest.mark.parametrize("identifier", ["pay_" + "0" * 32, "0123456789abcdef", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_a_guessable_identifier_opens_nothing(world: World, identifier: str) -> None:
    """Under 128 bits, a ULID, few distinct characters."""
    payment = world.sign(world.buyer(), world.offer(), identifier=identifier)
    assert world.request(payment=payment).status == 200
    assert world.request(payment=payment, source=ELSEWHERE).status == 409


def test_a_fresh_signature_of_another_payment_of_the_same_payer_opens_nothing(world: World) -> None:
    """It binds one payment id."""
    buyer = world.buyer()
    first, second = (world.sign(buyer, world.offer()) for _ in range(2))
    world.request(payment=first)
    world.request(payment=second)
    how = body_of(world.request(payment=first, source=ELSEWHERE))["details"]["signIn"]
    signed = fresh_signature(buyer, how, now=world.clock())
    assert world.request(payment=second, source=ELSEWHERE, sign_in_with_x=signed).status == 409
    assert world.request(payment=first, source=ELSEWHERE, sign_in_with_x=signed).status == 200


def test_x_forwarded_for_is_no_address(world: World) -> None:
    """Only the connection's own address counts."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    answer = world.request(payment=payment, source=ELSEWHERE, x_forwarded_for="192.0.2.1", forwarded="for=192.0.2.1")
    assert answer.status == 409


def test_no_event_and_nothing_upstream_holds_a_secret(world: World) -> None:
    """Signature, nonce, identifier, fresh signature and body stay out of the journal and away from the upstream."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    world.settler.lose_answers = 1
    world.request(payment=payment)
    world.request(payment=payment)
    how = body_of(world.request(payment=payment, source=ELSEWHERE, method="GET", query="other=1"))
    signed = fresh_signature(buyer, how["details"]["signIn"], now=world.clock())
    assert world.request(payment={**payment, "extensions": {}}, source=ELSEWHERE, sign_in_with_x=signed).status == 200
    world.upstream.behave(answers(500, b"sunny too"))
    world.request(payment=world.sign(buyer, world.offer(), identifier="pay_" + IDENTIFIER[:3:-1]))
    world.request(payment=world.sign(world.chain.funded_account(1), world.offer(), identifier=IDENTIFIER))
    world.skew += 60
    world.reconcile()
    told = json.dumps([(e.value, fields) for e, fields in world.diary.events]).lower()
    went_up = repr(world.upstream.seen).lower()
    for secret in (
        payment["payload"]["signature"][2:],
        payment["payload"]["signature"][2:66],
        payment["payload"]["authorization"]["nonce"][2:],
        IDENTIFIER[4:],
        decode(signed)["signature"][2:],
        "sunny",
    ):
        assert secret.lower() not in told
        assert secret.lower() not in went_up


# ------------------------------------------------------------------ two runs, two payments, one identifier


def test_two_payments_under_one_identifier_at_once_are_served_and_charged_once(world: World) -> None:
    """A client that signs anew instead of resending: the second authorization is not used."""
    buyer = world.buyer()
    payments = [world.sign(buyer, world.offer(), identifier=IDENTIFIER) for _ in range(4)]
    gate = threading.Barrier(4)

    def send(payment: dict[str, Any]) -> int:
        gate.wait()
        return world.request(payment=payment, seconds=20).status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(send, payments))
    assert statuses == [200, 409, 409, 409]
    assert world.upstream.runs == 1
    assert world.sent() == 1


def test_a_freed_identifier_serves_the_next_payment_and_never_the_old_one(world: World) -> None:
    """Rule 13: freed on RELEASED; the released payment stays released, whoever has the identifier now."""
    buyer = world.buyer()
    world.upstream.behave(answers(500))
    old = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=old).status == 500
    world.upstream.behave(answers(200, b"sunny"))
    new = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=new).status == 200
    again = world.request(payment=old)
    assert again.status == 402
    assert b"sunny" not in again.body
    assert state_of(world, old) is State.RELEASED
    assert world.request(payment=new, source=ELSEWHERE).status == 200
    assert world.upstream.runs == 2
    assert world.sent() == 1


def test_anothers_identifier_with_ones_own_payment_opens_nothing(world: World) -> None:
    """Identifiers are the payer's: a stranger who learned one has none of the body, and takes nothing away."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    stranger = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=stranger, source=ELSEWHERE).status == 200
    assert world.upstream.runs == 2
    assert world.request(payment=payment, source=ELSEWHERE).status == 200


def test_a_known_payment_under_an_identifier_of_another_one_keeps_its_own_row(world: World) -> None:
    """It is not 409 'bound elsewhere', and it is not served either: the identifier is not its own."""
    buyer = world.buyer()
    first = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    second = world.sign(buyer, world.offer(), identifier="pay_fedcba9876543210fedcba9876543210")
    assert [world.request(payment=p).status for p in (first, second)] == [200, 200]
    mixed = {**first, "extensions": second["extensions"]}
    answer = world.request(payment=mixed, source=ELSEWHERE)
    assert (answer.status, body_of(answer)["code"]) == (409, "payment_already_used")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_payment_on_head_or_options_claims_nothing(world: World, method: str) -> None:
    """Neither runs the upstream, neither writes."""
    payment = world.sign(world.buyer(), world.offer())
    before = rows(world)
    assert world.request(payment=payment, method=method).status == {"HEAD": 405, "OPTIONS": 204}[method]
    assert rows(world) == before
    assert world.upstream.runs == 0
    assert world.request(payment=payment).status == 200


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize("query", ["q=é", "q=a b", "q=#x", "q=\x7f", "q=\ud800"])
def test_a_query_that_cannot_be_forwarded_is_400_before_the_claim(world: World, query: str) -> None:
    """It worked once: the payment was claimed, released and burnt, or the gateway crashed."""
    payment = world.sign(world.buyer(), world.offer())
    before = rows(world)
    answer = world.request(payment=payment, query=query)
    assert answer.status == 400
    assert rows(world) == before
    assert world.request(payment=payment).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"validBefore": UINT256_MAX},
        {"validAfter": UINT256_MAX},
        {"validBefore": "0"},
        {"validBefore": "1"},
        {"value": UINT256_MAX},
        {"nonce": "0x" + "00" * 32},
    ],
)
def test_extreme_numbers_are_answered_and_write_nothing(world: World, changes: dict[str, str]) -> None:
    """All fit in 256 bits, few fit in DynamoDB's 38 digits."""
    payment = world.sign(world.buyer(), world.offer(), **changes)
    before = rows(world)
    answer = world.request(payment=payment)
    assert answer.status == (200 if "nonce" in changes else 402)
    if answer.status == 402:
        assert rows(world) == before
        assert world.upstream.runs == 0


@pytest.mark.parametrize("changes", [{"validBefore": UINT256_MAX}, {"validBefore": "0"}])
def test_extreme_deadlines_on_a_used_nonce_are_answered(world: World, changes: dict[str, str]) -> None:
    """The search for a lost payment of ours is bounded by the deadline that a stranger wrote."""
    buyer = world.buyer()
    used = world.sign(buyer, world.offer())
    world.submit(used)
    payment = world.sign(buyer, world.offer(), **changes, nonce=used["payload"]["authorization"]["nonce"])
    answer = world.request(payment=payment)
    assert answer.status in (402, 503)
    assert world.payment(payment) is None


def test_a_bytes_only_answer_and_an_empty_one_are_kept_and_resent(world: World) -> None:
    """204 with nothing, and bytes that are no text."""
    for status, body in ((204, b""), (200, b""), (200, bytes(range(256)))):
        world.upstream.behave(answers(status, body))
        payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
        for _ in range(2):
            answer = world.request(payment=payment)
            assert (answer.status, answer.body) == (status, body)
            assert receipt_of(answer)["success"] is True


def test_headers_that_the_front_door_would_refuse_are_not_charged(world: World) -> None:
    """It worked once: charged, and then 10 kB of headers kept the answer from ever arriving."""
    world.upstream.behave(answers(200, b"sunny", {f"X-Filler-{n}": "x" * 1000 for n in range(10)}))
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 502
    assert state_of(world, payment) is State.RELEASED
    assert world.sent() == 0


def test_a_body_that_is_no_text_is_400() -> None:
    """It worked once: a lone surrogate was an internal error."""
    event = {
        "requestContext": {"http": {"method": "POST", "sourceIp": "192.0.2.1"}},
        "rawPath": "/ask",
        "body": "\ud800",
    }
    with pytest.raises(BadRequest) as refused:
        read_request(event)
    assert refused.value.status == 400


def test_the_last_second_of_a_lease_is_waited_for_and_not_stormed(world: World) -> None:
    """It worked once: alive by one clock and dead by the other, and DynamoDB was asked without a pause."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.settler.down = True
    assert world.request(payment=payment, seconds=7).status == 503
    world.settler.down = False
    tried: list[bool] = []
    good = world.payments.take_over

    def counted(*args: Any) -> bool:
        tried.append(good(*args))
        return tried[-1]

    world.payments.take_over = counted  # type: ignore[method-assign]
    world.table._client.update_item(
        TableName=world.table._name,
        Key={"pk": {"S": f"PAY#{world.id_of(payment).digest}"}},
        UpdateExpression="SET lease_until = :now",
        ExpressionAttributeValues={":now": {"N": str(int(world.clock()) + 1)}},
    )
    assert world.request(payment=payment, seconds=12).body == b"sunny"
    assert tried == [True]


# ------------------------------------------------------------------ helpers


def known(world: World, payment: dict[str, Any]) -> Payment:
    """The payment, which must be there."""
    found = world.payment(payment)
    assert found is not None
    return found


def dearer(world: World) -> Any:
    """The route's terms at another price."""
    return replace(world.requirements, amount=PRICE * 2)


def cancel(world: World, buyer: LocalAccount, payment: dict[str, Any]) -> None:
    """The payer cancels the authorization."""
    accepted = payment["accepted"]
    nonce = bytes.fromhex(payment["payload"]["authorization"]["nonce"][2:])
    signed = buyer.sign_typed_data(
        {
            "name": accepted["extra"]["name"],
            "version": accepted["extra"]["version"],
            "chainId": world.network.chain_id,
            "verifyingContract": accepted["asset"],
        },
        {"CancelAuthorization": [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}]},
        {"authorizer": buyer.address, "nonce": nonce},
    )
    world.chain.send(
        "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)",
        buyer.address,
        nonce,
        signed.v,
        signed.r.to_bytes(32, "big"),
        signed.s.to_bytes(32, "big"),
    )


def submit_unmined(world: World, payment: dict[str, Any]) -> None:
    """Put the payment into the mempool."""
    a = payment["payload"]["authorization"]
    data = calldata(
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
        a["from"],
        a["to"],
        int(a["value"]),
        0,
        int(a["validBefore"]),
        bytes.fromhex(a["nonce"][2:]),
        bytes.fromhex(payment["payload"]["signature"][2:]),
    )
    world.chain.rpc("eth_sendTransaction", {"from": DEPLOYER, "to": world.chain.token, "data": data, "gas": "0x30d40"})


def die_in_the_upstream(world: World, payment: dict[str, Any]) -> None:
    """The owner is killed while the upstream runs."""

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    world.gateway.paid_call.runner.parts.upstream.fetch = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.request(payment=payment, seconds=12)
    world.gateway = world.make_gateway()


class Killed(BaseException):
    """The process is gone."""


def kill_at_call(world: World, nth: int, *, applied: bool) -> None:
    """The n-th request to the payments table kills the process, before it is sent or once it is applied."""
    good = world.table._call
    calls = itertools.count(1)

    def call(method: str, **request: Any) -> dict[str, Any]:
        if next(calls) != nth:
            return good(method, **request)
        if applied:
            good(method, **request)
        raise Killed

    world.table._call = call  # type: ignore[method-assign]


def revive(world: World) -> None:
    """A new process: nothing kills it any more."""
    del world.table._call
    world.gateway = world.make_gateway()


def spoil(world: World, payment: dict[str, Any]) -> None:
    """As an item of a newer version would look to this one."""
    world.table._client.update_item(
        TableName=world.table._name,
        Key={"pk": {"S": f"PAY#{world.id_of(payment).digest}"}},
        UpdateExpression="SET #state = :state, due = :due",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": "FROM_THE_FUTURE"}, ":due": {"N": "1"}},
    )
