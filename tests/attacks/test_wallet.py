"""Threats 53 and 61-72: making the facilitator's wallet do, or pay for, what nobody bought."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from local.chain import calldata
from tests.support.functions import Functions
from tests.support.sellers import SellerElsewhere
from tests.support.world import World, body_of
from tollgate.payment.states import State

# ERC-6492: abi.encode(factory, calldata, signature), then this.
_MAGIC = bytes.fromhex("6492" * 16)
IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


def wrapped(payment: dict[str, Any], factory: str, data: str) -> str:
    """The payment's signature in an ERC-6492 wrapper that asks for a call first."""
    inner = bytes.fromhex(payment["payload"]["signature"][2:])
    return "0x" + (encode(["address", "bytes", "bytes"], [factory, bytes.fromhex(data[2:]), inner]) + _MAGIC).hex()


def test_a64_an_erc_6492_wrapper_buys_nothing_and_sends_nothing(world: World) -> None:
    """The call that it asks for would be made by the relayer, which has gas and could have tokens."""
    payment = world.sign(world.buyer(), world.offer())
    theft = calldata("transfer(address,uint256)", world.buyer().address, 1)
    payment["payload"]["signature"] = wrapped(payment, world.chain.token, theft)
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["error"]) == (402, "invalid_exact_evm_payload_signature")
    assert (world.upstream.runs, world.settler.calls, world.sent()) == (0, 0, 0)
    assert world.table._client.scan(TableName=world.table._name, ConsistentRead=True)["Items"] == []


@pytest.mark.parametrize("endpoint", ["verify", "settle"])
def test_a64_the_same_gate_stands_before_verify_and_settle(
    functions: Functions, elsewhere: SellerElsewhere, endpoint: str
) -> None:
    """Neither asks the chain anything about it."""
    payment = elsewhere.payment(functions.buyer())
    theft = calldata("transfer(address,uint256)", elsewhere.pay_to, 1)
    payment["payload"]["signature"] = wrapped(payment, functions.chain.token, theft)
    sent = functions.chain.transaction_count(functions.relayer())
    with functions.recording() as seen:
        answer = getattr(elsewhere, endpoint)(elsewhere.envelope(payment))
    assert not answer.get("isValid", answer.get("success"))
    assert answer.get("invalidReason", answer.get("errorReason")) == "invalid_exact_evm_payload_signature"
    assert seen.rpc == []
    assert functions.chain.transaction_count(functions.relayer()) == sent


# Answers "valid" (0x1626ba7e) to every isValidSignature, as a hostile ERC-1271 wallet would.
_SAYS_VALID = "0x7f1626ba7e" + "00" * 28 + "60005260206000f3"


def test_a65_a_wallet_that_calls_any_signature_valid_is_no_signer(world: World) -> None:
    """Only a key's signature counts: no code of the payer's is ever run to ask."""
    account = world.buyer()
    payment = world.sign(world.buyer(), world.offer())
    payment["payload"]["authorization"]["from"] = account.address
    world.chain.rpc("anvil_setCode", account.address, _SAYS_VALID)
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["error"]) == (402, "invalid_exact_evm_payload_signature")
    assert world.payment(payment) is None


def test_a65_a_token_that_turns_the_signature_down_at_settle_was_not_paid(world: World) -> None:
    """Code or rules that appear between verify and settle: the token's check at settle is the authority."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)

    def turn_down(handler: Any) -> None:
        # The token pauses: from here on its own check refuses what our simulation had passed.
        world.chain.send("pause(bool)", True)
        handler.answer(200, b"sunny")

    world.upstream.behave(turn_down)
    try:
        answer = world.request(payment=payment, seconds=7)
    finally:
        world.chain.send("pause(bool)", False)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert b"sunny" not in answer.body
    assert world.sent() == 0
    world.advance(120)
    world.chain.mine(world.chain.info.confirmations + 1)
    world.reconcile()
    found = world.payment(payment)
    assert found is not None
    assert found.state is State.UNPAID
    assert world.row("RCT", payment) is None


def test_a53_permit2_is_not_taken(world: World) -> None:
    """Its proxies are not built in: a payment by Permit2 is refused before anything is asked or written."""
    payment = world.sign(world.buyer(), world.offer())
    authorization = payment["payload"].pop("authorization")
    payment["payload"]["permit2Authorization"] = {
        "permitted": {"token": world.chain.token, "amount": authorization["value"]},
        "from": authorization["from"],
        "spender": "0x" + keccak(text="any spender").hex()[:40],
        "nonce": "1",
        "deadline": authorization["validBefore"],
        "witness": {"to": authorization["to"], "validAfter": "0"},
    }
    answer = world.request(payment=payment)
    assert answer.status in (400, 402)
    assert (world.upstream.runs, world.settler.calls, world.sent()) == (0, 0, 0)
    offer = world.offer()
    assert {accepted["scheme"] for accepted in offer["accepts"]} == {"exact"}
    assert all("assetTransferMethod" not in accepted["extra"] for accepted in offer["accepts"])
