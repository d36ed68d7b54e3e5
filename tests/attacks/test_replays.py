"""Threats 35-45: one payment, presented again, at once, elsewhere, too late."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.support.upstream import Handler, sunny
from tests.support.world import ELSEWHERE, PRICE, World, body_of
from tests.template.cfn import load
from tollgate.ledger.payment_items import payment_key
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


def test_a37_two_replicas_serve_one_payment_once(world: World) -> None:
    """Nothing that decides lives in a process: six copies over three gateways are one run and one transaction."""
    gateways = [world.make_gateway() for _ in range(3)]
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    start = threading.Barrier(6)

    def through(index: int) -> int:
        replica = World.__new__(World)
        replica.__dict__.update(world.__dict__)
        replica.gateway = gateways[index % 3]
        start.wait()
        return replica.request(payment=payment, seconds=20).status

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(through, range(6)))
    # Three copies wait for the owner; those beyond are told that it is being served (rule 5).
    assert statuses[0] == 200
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 4
    assert (world.upstream.runs, world.sent(), world.revenue()) == (1, 1, (PRICE, 1))


def test_a37_no_table_is_replicated_to_another_region() -> None:
    """Last writer wins between Regions, and a claim must not be won twice."""
    template = load()
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert "AWS::DynamoDB::Table" in kinds
    assert "AWS::DynamoDB::GlobalTable" not in kinds
    assert "Replicas" not in str(template)


def test_a38_a_fresh_payment_under_the_identifier_of_a_running_one_is_not_charged(world: World) -> None:
    """A client that lost the answer and signs anew: 409 while the first runs, and after it was served."""
    running, go_on = threading.Event(), threading.Event()

    def behave(handler: Handler) -> None:
        running.set()
        go_on.wait(10)
        sunny(handler)

    world.upstream.behave(behave)
    buyer = world.buyer()
    first, second = (world.sign(buyer, world.offer(), identifier=IDENTIFIER) for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(world.request, payment=first, seconds=20)
        assert running.wait(10)
        retried = world.request(payment=second, source=ELSEWHERE)
        go_on.set()
        assert served.result().status == 200
    for answer in (retried, world.request(payment=second)):
        assert (answer.status, body_of(answer)["code"]) == (409, "payment_identifier_bound")
        assert answer.header("payment-required") is None
    assert world.payment(second) is None
    assert (world.upstream.runs, world.sent()) == (1, 1)


def test_a38_a_fresh_payment_while_the_first_is_unknown_is_not_charged(world: World) -> None:
    """SETTLING is no reason to take another payment for the same request: it gets the first one's outcome."""
    world.settler.down = True
    buyer = world.buyer()
    first, second = (world.sign(buyer, world.offer(), identifier=IDENTIFIER) for _ in range(2))
    assert world.request(payment=first, seconds=7).status == 503
    waiting = world.request(payment=second, seconds=7)
    assert waiting.status == 503
    assert waiting.header("payment-required") is None
    assert world.payment(second) is None
    world.settler.down = False
    world.skew += 30
    assert world.request(payment=first).body == b"sunny"
    assert (world.upstream.runs, world.sent()) == (1, 1)


def _tidied_by() -> str:
    """The attribute by which DynamoDB may delete items of the payments table."""
    table = load()["Resources"]["PaymentsTable"]["Properties"]
    return str(table["TimeToLiveSpecification"]["AttributeName"])


def test_a43_a_claim_outlives_its_authorization_and_ttl_decides_nothing(world: World) -> None:
    """Long after every time that is written in it, an item that is still there counts."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    item = world.table.get(payment_key(world.id_of(payment)))
    assert item is not None
    assert _tidied_by() not in item
    world.skew += 400 * 86_400
    answer = world.request(payment=payment)
    assert answer.status == 410
    assert answer.header("payment-required") is None
    assert world.upstream.runs == 1


def test_a43_a_claim_that_was_deleted_early_is_still_refused(world: World) -> None:
    """The chain remembers: a used nonce is never served again, whatever became of the item."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    found = world.payment(payment)
    assert found is not None
    assert found.state is State.SETTLED
    world.table._client.delete_item(TableName=world.table._name, Key={"pk": {"S": payment_key(found.id)}})
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["details"]["state"]) == (409, "PAID_UNSERVED")
    assert world.upstream.runs == 1
    assert world.payment(payment) is None
