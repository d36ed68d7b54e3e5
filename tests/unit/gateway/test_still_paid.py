"""A receipt against the chain once more: seen, gone, or nobody can tell; a node's silence is never a no."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.payments import some_claim, some_proof, some_word
from tollgate.chain.answers import Receipt
from tollgate.errors import ChainUnavailable
from tollgate.gateway.still_paid import still_paid
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.schemes.exact import eip3009
from tollgate.schemes.logs import Log
from tollgate.wire.primitives import Address, Bytes32

PROOF = some_proof()
CLAIM = some_claim()
PAYMENT = Payment(
    CLAIM,
    State.SETTLED,
    1,
    transaction=PROOF.transaction,
    log_index=PROOF.log_index,
    block_number=PROOF.block_number,
    block_hash=PROOF.block_hash,
)


@dataclass
class Node:
    """Answers what it is told to."""

    mined: Receipt | None
    block: Bytes32 | None

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """Of our transaction."""
        assert list(transactions) == [PROOF.transaction]
        return self.mined

    def block_hash_at(self, number: int, timeout: float, expected: Bytes32 | None = None) -> Bytes32 | None:
        """At the booked height, with the booked hash to agree about."""
        assert (number, expected) == (PROOF.block_number, PROOF.block_hash)
        return self.block


def log(index: int, topics: tuple[bytes, ...], data: bytes = b"") -> Log:
    """One of the token's."""
    return Log(CLAIM.id.asset, topics, data, index, PROOF.transaction, PROOF.block_number, PROOF.block_hash)


def receipt(*logs: Log) -> Receipt:
    """A mined transaction."""
    return Receipt(PROOF.transaction, True, PROOF.block_number, PROOF.block_hash, Address(b"\x01" * 20), logs)


def pair() -> tuple[Log, Log]:
    """AuthorizationUsed and Transfer, as the token emits them."""
    a = CLAIM.authorization
    used = log(3, (eip3009.AUTHORIZATION_USED_TOPIC, eip3009.address_word(a.from_), a.nonce.raw))
    words = (eip3009.address_word(a.from_), eip3009.address_word(a.to))
    return used, log(4, (eip3009.TRANSFER_TOPIC, *words), a.value.to_bytes(32, "big"))


def test_the_log_pair_is_what_stands() -> None:
    """Wherever it is now: a transaction that was mined again pays as well."""
    said = still_paid(Node(receipt(*pair()), None), PAYMENT)
    assert said == {"stands": True, "blockNumber": PROOF.block_number, "blockHash": str(PROOF.block_hash)}


def test_a57_another_block_in_its_place_is_a_no() -> None:
    """The transaction is nowhere, and its block is not there any more."""
    assert still_paid(Node(None, some_word()), PAYMENT)["stands"] is False


@pytest.mark.parametrize(
    "node",
    [
        Node(None, None),
        Node(None, PROOF.block_hash),
        Node(receipt(), some_word()),
        Node(receipt(pair()[1]), PROOF.block_hash),
        None,
    ],
    ids=["lags", "lost-its-index", "no-logs", "half-a-pair", "no-such-network"],
)
def test_a58_what_a_node_does_not_show_is_not_known(node: Any) -> None:
    """A node behind the block, one that has the block and not the transaction, one that shows half of it, and none."""
    with pytest.raises(ChainUnavailable):
        still_paid(node, PAYMENT)
