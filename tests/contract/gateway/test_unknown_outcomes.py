"""While nobody knows, no answer carries an offer; and what becomes known is booked once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.buyer import fresh_signature
from tests.support.upstream import answers, slowly
from tests.support.world import ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.payment.record import Payment
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


def state_of(world: World, payment: dict[str, object]) -> Payment:
    """The payment in the ledger, which must be there."""
    found = world.payment(payment)
    assert found is not None
    return found


def test_a36_parallel_replays_run_the_upstream_once(world: World) -> None:
    """Six at once: one run, one transaction, six truthful answers."""
    world.upstream.behave(slowly(0.5))
    payment = world.sign(world.buyer(), world.offer())
    barrier = threading.Barrier(6)

    def go(_: int) -> tuple[int, bytes, bool]:
        barrier.wait()
        answer = world.request(payment=payment)
        return answer.status, answer.body, answer.header("payment-required") is not None

    with ThreadPoolExecutor(6) as pool:
        answers_ = list(pool.map(go, range(6)))
    assert world.upstream.runs == 1
    assert world.sent() == 1
    assert {status for status, _, _ in answers_} <= {200, 503}
    assert all(body == b"sunny" for status, body, _ in answers_ if status == 200)
    assert not any(offered for _, _, offered in answers_)
    assert sum(status == 200 for status, _, _ in answers_) == 4  # the owner and three who may wait
    assert world.revenue() == (PRICE, 1)


def test_a54_a_settlement_that_outlasts_the_request_is_503_without_an_offer(world: World) -> None:
    """The transaction's hash is named, the body stays here; the resend is served once it mined."""
    world.chain.stop_mining()
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    try:
        answer = world.request(payment=payment, seconds=8)
    finally:
        world.chain.mine_at_once()
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert answer.header("retry-after") is not None
    assert b"sunny" not in answer.body
    pending = receipt_of(answer)
    assert (pending["success"], pending["errorReason"]) == (False, "settlement_pending")
    world.chain.mine()
    world.skew += 30
    again = world.request(payment=payment, seconds=20)
    assert (again.status, again.body) == (200, b"sunny")
    assert receipt_of(again)["transaction"] == pending["transaction"]
    assert world.upstream.runs == 1
    assert world.revenue() == (PRICE, 1)


def test_settle_that_never_answers_leaves_the_payment_to_reconcile(world: World) -> None:
    """The proxy gives up its time, not the payment."""
    world.settler.down = True
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment, seconds=7).status == 503
    assert state_of(world, payment).state is State.SETTLING
    world.settler.down = False
    world.skew += 60
    world.reconcile()
    assert state_of(world, payment).state is State.SETTLED
    assert world.request(payment=payment).body == b"sunny"
    assert world.upstream.runs == 1


def test_a_lost_settle_answer_is_asked_again_and_booked_once(world: World) -> None:
    """Settle is idempotent; its answer may be lost on the way."""
    world.settler.lose_answers = 2
    answer = world.request(payment=world.sign(world.buyer(), world.offer()), seconds=15)
    assert answer.status == 200
    assert world.settler.calls == 3
    assert world.sent() == 1
    assert world.revenue() == (PRICE, 1)


def test_rpc_down_before_the_claim_is_503_and_writes_nothing(world: World) -> None:
    """Not an offer, not a claim: the same payment works once the RPC is back."""
    payment = world.sign(world.buyer(), world.offer())
    good = world.evm
    world.evm = EvmChain(RpcClient(["http://127.0.0.1:9"]), world.chain.info)
    world.gateway = world.make_gateway()
    answer = world.request(payment=payment)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert b"127.0.0.1" not in answer.body
    assert world.payment(payment) is None
    world.evm = good
    world.gateway = world.make_gateway()
    assert world.request(payment=payment).status == 200


def test_a_served_payment_is_served_again_while_the_rpc_is_down(world: World) -> None:
    """Rule 1: a known payment gets its own row of the table, whatever the check says."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    world.evm = EvmChain(RpcClient(["http://127.0.0.1:9"]), world.chain.info)
    world.gateway = world.make_gateway()
    assert world.request(payment=payment).body == b"sunny"


def test_a48_money_gone_between_check_and_settle_is_not_an_offer_until_it_is_proven(world: World) -> None:
    """A revert proves nothing: SETTLING until the authorization has expired at depth, then UNPAID and a debt."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)

    def drain_then_answer(handler: object) -> None:
        world.chain.send("drain(address)", buyer.address)
        answers(200, b"sunny")(handler)  # type: ignore[arg-type]

    world.upstream.behave(drain_then_answer)
    answer = world.request(payment=payment, seconds=7)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert b"sunny" not in answer.body
    assert world.sent() == 0
    world.advance(120)
    world.chain.mine(5)
    world.reconcile()
    assert state_of(world, payment).state is State.UNPAID
    assert world.row("DEBT", payment) is not None
    assert world.row("RCT", payment) is None
    again = world.request(payment=payment)
    assert again.status == 402
    assert again.header("payment-required") is not None


def test_a51_somebody_else_submits_a_payment_that_we_claimed(world: World) -> None:
    """It is paid and booked; but the body leaves only on the payer's fresh signature (rule 3)."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)

    def submit_then_answer(handler: object) -> None:
        world.submit(payment)
        answers(200, b"sunny")(handler)  # type: ignore[arg-type]

    world.upstream.behave(submit_then_answer)
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert b"sunny" not in answer.body
    assert world.sent() == 0
    assert world.revenue() == (PRICE, 1)
    assert world.request(payment=payment).status == 409
    how = body_of(answer)["details"]["signIn"]
    stranger = fresh_signature(world.buyer(), how, now=world.clock())
    assert world.request(payment=payment, sign_in_with_x=stranger).status == 409
    own = fresh_signature(buyer, how, now=world.clock())
    served = world.request(payment=payment, sign_in_with_x=own)
    assert (served.status, served.body) == (200, b"sunny")
    assert world.request(payment=payment, sign_in_with_x=own).status == 409  # works once
    assert world.upstream.runs == 1


def test_a_fresh_signature_must_be_fresh_and_for_this_payment(world: World) -> None:
    """Five minutes, our domain, this payment id."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    world.request(payment=payment)
    how = body_of(world.request(payment=payment, source=ELSEWHERE))["details"]["signIn"]
    for wrong in (
        fresh_signature(buyer, how, now=world.clock() - 301),
        fresh_signature(buyer, {**how, "requestId": "0" * 64}, now=world.clock()),
        fresh_signature(buyer, {**how, "domain": "evil.example"}, now=world.clock()),
    ):
        assert world.request(payment=payment, source=ELSEWHERE, sign_in_with_x=wrong).status == 409
    right = fresh_signature(buyer, how, now=world.clock())
    assert world.request(payment=payment, source=ELSEWHERE, sign_in_with_x=right).body == b"sunny"


def test_a_dead_owner_is_released_with_a_debt_and_an_offer(world: World) -> None:
    """Rule 11: EXECUTING with a lease that ran out has no settlement in flight."""
    payment = world.sign(world.buyer(), world.offer())

    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    world.gateway.paid_call.runner.parts.upstream.fetch = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.request(payment=payment, seconds=12)
    assert state_of(world, payment).state is State.EXECUTING
    world.gateway = world.make_gateway()
    assert world.request(payment=payment, seconds=4).status == 503
    world.skew += 60
    answer = world.request(payment=payment)
    assert answer.status == 402
    assert answer.header("payment-required") is not None
    assert world.row("DEBT", payment) is not None


def test_a_late_use_of_a_released_payment_is_paid_unserved(world: World) -> None:
    """Reconcile finds it, books the liability, and the buyer is sent to the seller, not to a new payment."""
    world.upstream.behave(answers(500))
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 500
    world.submit(payment)
    world.advance(400)
    world.reconcile()
    assert state_of(world, payment).state is State.PAID_UNSERVED
    assert world.row("LIA", payment) is not None
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert answer.header("payment-required") is None
    assert world.revenue() == (0, 0)


@pytest.mark.own_chain
def test_a57_a_block_that_is_gone_is_reversed_and_settled_again(world: World) -> None:
    """Revenue is corrected, and the payment settles on the new chain."""
    snapshot = world.chain.rpc("evm_snapshot")
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    # The buyer's tokens are minted before the snapshot that we go back to.
    snapshot = world.chain.rpc("evm_snapshot")
    assert world.request(payment=payment).status == 200
    assert world.chain.rpc("evm_revert", snapshot)
    world.chain.mine(3)
    world.skew += int(world.chain.info.final_blocks * world.chain.info.block_seconds) + 30
    world.reconcile()
    state = state_of(world, payment).state
    assert world.revenue()[1] in (0, 1)
    assert state in (State.SETTLED, State.SETTLING)
    assert world.table.get(f"RVS#{world.id_of(payment).digest}#1") is not None


def test_unresolved_when_no_rpc_answers_after_the_deadline_and_back_when_it_does(world: World) -> None:
    """The operator sees it; the buyer gets no offer; the chain decides once it can be asked."""
    world.settler.down = True
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.request(payment=payment, seconds=7)
    good = world.evm
    world.evm = EvmChain(RpcClient(["http://127.0.0.1:9"]), world.chain.info)
    world.skew += 500
    world.reconcile(seconds=8)
    assert state_of(world, payment).state is State.UNRESOLVED
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert answer.header("payment-required") is None
    world.evm = good
    world.settler.down = False
    world.gateway = world.make_gateway()
    world.skew += 1000
    world.chain.advance(1600)
    world.chain.mine(5)
    world.reconcile()
    assert state_of(world, payment).state is State.UNPAID


def test_a_settle_that_never_speaks_again_does_not_leave_a_payment_open_for_ever(world: World) -> None:
    """Long after the deadline reconcile asks the chain itself: unused is UNPAID, used is booked."""
    world.settler.down = True
    unused, used = (world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER) for _ in range(2))
    for payment in (unused, used):
        assert world.request(payment=payment, seconds=7).status == 503
    world.submit(used)
    world.advance(500)
    world.chain.mine(5)
    world.reconcile(seconds=9)
    assert state_of(world, unused).state is State.UNPAID
    world.skew += 400
    world.reconcile(seconds=9)
    assert state_of(world, used).state is State.SETTLED
    assert world.revenue() == (PRICE, 1)
    assert world.request(payment=used).status == 409  # whose transaction it was is not known: a fresh signature


def test_a116_only_three_copies_of_a_payment_are_held_waiting(world: World) -> None:
    """The fourth and all strangers get 503 at once."""
    world.chain.stop_mining()
    payment = world.sign(world.buyer(), world.offer())
    try:
        with ThreadPoolExecutor(8) as pool:
            owner = pool.submit(world.request, payment=payment, seconds=14)
            while (found := world.payment(payment)) is None or found.state is State.EXECUTING:
                pass
            started = world.clock()
            copies = [pool.submit(world.request, payment=payment, seconds=10) for _ in range(3)]
            stranger = world.request(payment=payment, source=ELSEWHERE)
            assert stranger.status == 503
            assert world.clock() - started < 4
            while len([s for s in range(3) if self_slot(world, payment, s)]) < 3:
                pass
            before = world.clock()
            assert world.request(payment=payment).status == 503
            assert world.clock() - before < 3
            world.chain.mine_at_once()
            world.chain.mine()
            assert owner.result().status == 200
            assert [c.result().status for c in copies].count(200) >= 1
    finally:
        world.chain.mine_at_once()


def self_slot(world: World, payment: dict[str, object], slot: int) -> bool:
    """Whether a waiting slot is taken."""
    row = world.row("WAIT", payment)  # type: ignore[arg-type]
    return row is not None and row.get(f"slot{slot}", 0) > world.clock()


def test_a113_a_strangers_settled_payment_is_nobodys_second_purchase(world: World) -> None:
    """Settled elsewhere to the same payTo, presented here for the first time: refused as used."""
    payment = world.sign(world.buyer(), world.offer())
    world.submit(payment)
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["error"]) == (402, "invalid_exact_evm_nonce_already_used")
    assert world.payment(payment) is None
    assert world.upstream.runs == 0


def test_a115_a_payment_seen_in_the_mempool_is_used_already(world: World) -> None:
    """Read at ``pending``: a copy of a broadcast payment is refused before it mines."""
    world.chain.stop_mining()
    try:
        payment = world.sign(world.buyer(), world.offer())
        a = payment["payload"]["authorization"]
        signature = bytes.fromhex(payment["payload"]["signature"][2:])
        from local.chain import DEPLOYER, calldata  # noqa: PLC0415

        data = calldata(
            "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
            a["from"],
            a["to"],
            int(a["value"]),
            0,
            int(a["validBefore"]),
            bytes.fromhex(a["nonce"][2:]),
            signature,
        )
        world.chain.rpc(
            "eth_sendTransaction", {"from": DEPLOYER, "to": world.chain.token, "data": data, "gas": "0x30d40"}
        )
        answer = world.request(payment=payment)
        assert body_of(answer)["error"] == "invalid_exact_evm_nonce_already_used"
        assert world.upstream.runs == 0
    finally:
        world.chain.mine_at_once()
        world.chain.mine()


def test_a112_a_header_rebuilt_from_the_chain_gets_409_and_no_body(world: World) -> None:
    """Every field of it is public; the identifier and the address are not."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    first = world.request(payment=payment)
    rebuilt = {**payment, "extensions": world.offer()["extensions"]}
    answer = world.request(payment=rebuilt, source=ELSEWHERE)
    assert answer.status == 409
    assert b"sunny" not in answer.body
    assert body_of(answer)["details"]["transaction"] == receipt_of(first)["transaction"]
    assert answer.header("payment-required") is None


def test_a_short_identifier_proves_nothing(world: World) -> None:
    """Under 128 bits it could be guessed: it binds, but admits nobody."""
    payment = world.sign(world.buyer(), world.offer(), identifier="order-number-0001")
    assert world.request(payment=payment).status == 200
    assert world.request(payment=payment, source=ELSEWHERE).status == 409


def test_a_nonce_used_by_our_own_relayer_without_an_item_is_paid_unserved(world: World) -> None:
    """A table restored from backup: 409, not an offer."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    restored = World.__new__(World)
    restored.__dict__.update(world.__dict__)
    from tests.support.aws import create_table  # noqa: PLC0415
    from tollgate.ledger.dynamo import Table  # noqa: PLC0415
    from tollgate.ledger.payments import PaymentsLedger  # noqa: PLC0415

    dynamo = world.table._client
    restored.table = Table(dynamo, create_table(dynamo, work_index=True))
    restored.payments = PaymentsLedger(restored.table)
    restored.gateway = restored.make_gateway()
    answer = restored.request(payment=payment)
    assert answer.status == 409
    assert answer.header("payment-required") is None
    assert body_of(answer)["details"]["state"] == "PAID_UNSERVED"


def test_past_retention_a_served_payment_is_410_with_its_receipt(world: World) -> None:
    """No offer: it was paid."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    first = world.request(payment=payment)
    world.skew += 86_401
    answer = world.request(payment=payment)
    assert answer.status == 410
    assert receipt_of(answer) == receipt_of(first)
    assert answer.header("payment-required") is None


def test_two_routes_share_the_payer_but_not_the_identifier(world: World) -> None:
    """Rule 13: scoped to payer and route."""
    buyer = world.buyer()
    assert world.request(payment=world.sign(buyer, world.offer(), identifier=IDENTIFIER)).status == 200
    path = "/forecast/paris"
    assert world.request(path, payment=world.sign(buyer, world.offer(path), identifier=IDENTIFIER)).status == 200
