"""Our proxy settles through a facilitator that is the official SDK and nothing of ours.

The deployed stack once more, with FacilitatorUrl and FacilitatorSecretName; the facilitator has its
own process, its own key and gas, and its own way to the same chain.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from eth_account.signers.local import LocalAccount

from local.rpc_gate import SEND, Act
from local.stack import LocalStack
from tests.e2e.conftest import routes
from tests.e2e.http import get, signed
from tests.support.official import Facilitator
from tests.support.official_clients import with_httpx, with_httpx_v1
from tests.support.second_stack import SecondStack

PRICE = 10_000
SECRET = "tollgate/facilitator"
AUTHORIZATION = "Bearer interop-1f0c"
WAIT = 2.0  # seconds that the facilitator waits for a receipt before it says settlement_pending


@pytest.fixture(scope="module")
def running(deployed_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facilitator]:
    """The facilitator's process."""
    facilitator = Facilitator(deployed_stack.chain, tmp_path_factory.mktemp("facilitator"), AUTHORIZATION, WAIT)
    try:
        facilitator.start()
        yield facilitator
    finally:
        facilitator.close()


@pytest.fixture(scope="module")
def second(deployed_stack: LocalStack, running: Facilitator) -> Iterator[SecondStack]:
    """A stack that settles there."""
    headers = json.dumps({"Authorization": AUTHORIZATION})
    deployed_stack.client("secretsmanager").create_secret(Name=SECRET, SecretString=headers)
    with SecondStack(
        deployed_stack, "tollgate-elsewhere", FacilitatorUrl=running.url, FacilitatorSecretName=SECRET
    ) as stack:
        stack.apply_routes(routes(stack))
        yield stack


@pytest.fixture
def shop(stack: LocalStack, second: SecondStack) -> SecondStack:
    """The same, calm, for ``stack`` is."""
    return second


@pytest.fixture
def facilitator(running: Facilitator) -> Iterator[Facilitator]:
    """The facilitator, up again and with an open gate after each test."""
    yield running
    running.gate.clear()


@pytest.fixture(scope="module")
def background() -> Iterator[ThreadPoolExecutor]:
    """For a request that has to hang while the test does something."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize("version", [2, 1])
def test_a_payment_is_settled_by_the_official_facilitator(
    shop: SecondStack, buyer: LocalAccount, facilitator: Facilitator, version: int
) -> None:
    """It is asked once, in version 2 whatever the buyer spoke, with the secret's header; its own key sends."""
    asked = len(facilitator.read("/journal")["asked"])
    bought = (with_httpx if version == 2 else with_httpx_v1)(buyer, f"{shop.api_url}/weather/oslo")
    assert bought.status == 200, bought
    assert bought.json["city"] == "oslo"
    mined = shop.chain.receipt(bought.receipt["transaction"])
    assert mined is not None
    assert mined["from"].lower() == facilitator.address.lower()
    assert shop.chain.balance(buyer.address) == 100_000_000 - PRICE
    journal = facilitator.read("/journal")
    assert journal["turned_away"] == 0
    assert len(journal["asked"]) == asked + 1
    message = journal["asked"][-1]
    assert (message["x402Version"], message["paymentPayload"]["x402Version"]) == (2, 2)
    assert message["paymentPayload"]["resource"]["url"] == f"{shop.api_url}/weather/oslo"
    assert shop.rows(shop.deployed.settlements_table) == []


def test_a_pending_answer_is_followed_to_its_end(
    shop: SecondStack, buyer: LocalAccount, facilitator: Facilitator, background: ThreadPoolExecutor
) -> None:
    """settlement_pending, then a block: the same request is served, and there was one transaction."""
    before, sent = shop.chain.transfers(), len(facilitator.gate.broadcasts)
    answered = len(facilitator.read("/journal")["answered"])
    shop.chain.stop_mining()
    reply = background.submit(get, shop, "/weather/rome", signed(shop, buyer, "/weather/rome"))
    said = facilitator.wait_answered(answered + 1)[-1]
    shop.chain.mine_at_once()
    shop.chain.mine()
    assert (said["success"], said["errorReason"]) == (False, "settlement_pending")
    served = reply.result(timeout=40)
    assert served.status == 200, served
    assert served.receipt["transaction"] == said["transaction"]
    assert shop.chain.transfers() == before + 1
    assert len(facilitator.gate.broadcasts) == sent + 1


def test_a73_a_facilitator_that_dies_after_its_broadcast_was_paid_once(
    shop: SecondStack, buyer: LocalAccount, facilitator: Facilitator, background: ThreadPoolExecutor
) -> None:
    """No answer ever comes, the transaction is on chain: the buyer gets the body and is never asked again."""
    before = shop.chain.transfers()
    payment = signed(shop, buyer, "/weather/bern")
    broadcast = facilitator.gate.rule(Act.HOLD_ANSWER, SEND, times=1)
    reply = background.submit(get, shop, "/weather/bern", payment)
    broadcast.wait_met()
    facilitator.kill()
    broadcast.release()
    first = reply.result(timeout=40)
    assert first.status == 200, first
    facilitator.start()
    again = get(shop, "/weather/bern", payment)
    assert (again.status, again.body) == (200, first.body)
    assert again.receipt == first.receipt
    assert facilitator.read("/journal")["asked"] == []
    assert shop.chain.transfers() == before + 1


def test_a73_a_facilitator_that_dies_before_its_broadcast_is_asked_again(
    shop: SecondStack, buyer: LocalAccount, facilitator: Facilitator, background: ThreadPoolExecutor
) -> None:
    """The chain knows of nothing, so the one that came back may be asked: the same request is served, once."""
    before = shop.chain.transfers()
    payment = signed(shop, buyer, "/weather/lima")
    broadcast = facilitator.gate.rule(Act.HOLD, SEND, times=1)
    reply = background.submit(get, shop, "/weather/lima", payment)
    broadcast.wait_met()
    facilitator.kill()
    broadcast.release()
    facilitator.start()
    served = reply.result(timeout=40)
    assert served.status == 200, served
    mined = shop.chain.receipt(served.receipt["transaction"])
    assert mined is not None
    assert mined["from"].lower() == facilitator.address.lower()
    assert len(facilitator.read("/journal")["asked"]) == 1
    assert shop.chain.transfers() == before + 1
    assert shop.upstream.runs["/weather/lima"] == 1
