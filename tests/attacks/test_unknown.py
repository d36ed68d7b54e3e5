"""Threats 78, 79 and 85: what a buyer is told, or handed, while nobody knows or something broke."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.functions import Functions
from tests.support.lambda_events import Reply
from tests.support.upstream import CountingUpstream, answers
from tests.support.world import ELSEWHERE, World
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"
MARKER = b"the-goods-that-were-sold"


def nobody_settles(world: World) -> None:
    """Settle does not answer."""
    world.settler.down = True


def answers_are_lost(world: World) -> None:
    """Settle works, but nobody hears of it."""
    world.settler.lose_answers = 1000


def money_goes(world: World) -> None:
    """The payer's wallet is empty when settle looks."""

    def drain(handler: Any) -> None:
        world.chain.send("drain(address)", world.chain_payer)  # type: ignore[attr-defined]
        answers(200, MARKER)(handler)

    world.upstream.behave(drain)


TROUBLES: list[Callable[[World], None]] = [nobody_settles, answers_are_lost, money_goes]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_a78_a_conforming_client_signs_once(world: World, trouble: Callable[[World], None]) -> None:
    """It signs only where it is offered to: five resends, the RPC down among them, are never offered anything."""
    world.upstream.behave(answers(200, MARKER))
    buyer = world.buyer()
    world.chain_payer = buyer.address  # type: ignore[attr-defined]
    trouble(world)
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    told = [world.request(payment=payment, seconds=7)]
    told += [world.request(payment=payment, seconds=4) for _ in range(2)]
    told.append(world.request(payment=payment, seconds=4, source=ELSEWHERE))
    world.evm = EvmChain(RpcClient(["http://127.0.0.1:9"]), world.chain.info)
    world.gateway = world.make_gateway()
    told.append(world.request(payment=payment, seconds=4))
    signatures = 1 + sum(answer.header("payment-required") is not None for answer in told)
    assert signatures == 1
    assert {answer.status for answer in told} == {503}
    assert all(answer.header("retry-after") for answer in told)
    found = world.payment(payment)
    assert found is not None
    assert found.state is State.SETTLING


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_a85_what_is_not_settled_never_leaves(world: World, trouble: Callable[[World], None]) -> None:
    """Neither in a body nor in a header, nor in what the journal is told, however often one asks."""
    world.upstream.behave(answers(200, MARKER, {"X-Goods": MARKER.decode()}))
    buyer = world.buyer()
    world.chain_payer = buyer.address  # type: ignore[attr-defined]
    trouble(world)
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    told = [world.request(payment=payment, seconds=7) for _ in range(3)]
    world.advance(120)
    world.chain.mine(world.chain.info.confirmations + 1)
    world.reconcile(seconds=8)
    told.append(world.request(payment=payment, seconds=4))
    found = world.payment(payment)
    assert found is not None
    if found.state is State.SETTLED:
        assert told.pop().body == MARKER
    assert MARKER.decode() not in str([(answer.headers, answer.body) for answer in told])
    assert MARKER.decode() not in str(world.diary.events)


# Where a bug may strike: the part, its method, and whether the payment is on the books by then.
STEPS = [
    ("gateway/examine.py", "tollgate.gateway.examine.Examiner.examine", None),
    ("ledger claim", "tollgate.ledger.payments.PaymentsLedger.claim", None),
    ("upstream", "tollgate.gateway.run_upstream.UpstreamRunner.run", State.EXECUTING),
    ("ledger hold", "tollgate.ledger.payments.PaymentsLedger.hold", State.EXECUTING),
    ("settler", "tollgate.facilitator.invoke.FunctionSettler.settle", State.SETTLING),
    ("books", "tollgate.ledger.books.Books.book", State.SETTLING),
]


@pytest.mark.parametrize(("place", "state"), [step[1:] for step in STEPS], ids=[step[0] for step in STEPS])
def test_a79_a_bug_at_any_step_is_500_without_an_offer(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, place: str, state: State | None
) -> None:
    """Loud in the log, nothing internal in the answer, and the item says how far it went."""
    secret = "internal-detail-that-nobody-may-see"

    def bug(*_: Any, **__: Any) -> Any:
        raise RuntimeError(secret)

    upstream = CountingUpstream()
    upstream.behave(answers(200, MARKER))
    try:
        functions.sell("GET", "/goods", upstream.url + "/goods")
        payment = functions.sign(functions.buyer(), functions.offer("GET", "/goods"))
        monkeypatch.setattr(place, bug)
        answer = functions.request("GET", "/goods", payment=payment)
    finally:
        upstream.stop()
    _is_a_bug(answer, secret)
    assert any("proxy.bug" in line["message"] for line in functions.loaded["proxy"].lines())
    scan = functions.client("dynamodb").scan(TableName=functions.resource("PaymentsTable"), ConsistentRead=True)
    states = {item["state"]["S"] for item in scan["Items"] if item["pk"]["S"].startswith("PAY#")}
    assert states == (set() if state is None else {state.value})


def _is_a_bug(answer: Reply, secret: str) -> None:
    assert answer.status == 500
    assert "payment-required" not in answer.headers
    assert "payment-response" not in answer.headers
    assert secret not in str(answer.headers) + answer.body.decode()
    assert MARKER not in answer.body
    assert json.loads(answer.body)["code"] == "internal_error"


def test_a94_a_function_that_fails_with_status_200_has_not_answered(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda's Invoke says 200 and ``FunctionError``: pending, and settled once by the next one who asks."""
    upstream = CountingUpstream()
    try:
        functions.sell("GET", "/goods", upstream.url + "/goods")
        payment = functions.sign(functions.buyer(), functions.offer("GET", "/goods"), identifier=IDENTIFIER)
        with monkeypatch.context() as broken:
            broken.setattr("tollgate.facilitator.settle.SettleService.settle", _raise)
            answer = functions.request("GET", "/goods", payment=payment, seconds=7)
        assert functions.failures
        assert answer.status == 503
        assert "payment-required" not in answer.headers
        assert answer.body != b"sunny"
        functions.advance(30)
        assert functions.request("GET", "/goods", payment=payment).body == b"sunny"
    finally:
        upstream.stop()
    assert upstream.runs == 1
    assert functions.chain.transaction_count(functions.relayer()) == 1


def _raise(*_: Any, **__: Any) -> Any:
    raise RuntimeError("settle is broken")
