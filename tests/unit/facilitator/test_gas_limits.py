"""The gas that a transaction may use: the same everywhere, and room for its data where a rollup charges for that."""

from typing import Any

import pytest
import rlp

from tests.support.payments import some_claim
from tollgate.chain.answers import Head
from tollgate.chain.signer import LocalSigner
from tollgate.facilitator.fees import FILLER_GAS, Fees
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.ledger.settlement_items import Settlement, SignedBytes, Slot
from tollgate.payment.events import NullJournal
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment
from tollgate.payment.states import SettlementState, State
from tollgate.schemes.exact.eip3009 import TRANSFER_GAS
from tollgate.wire.primitives import Bytes32

SIGNER = LocalSigner(b"\x07" * 32)
MARKET = Market(Head(1, 1, Bytes32(bytes(32)), 1), Fees(2, 1), 2)
_GAS_LIMIT = 4


class Ledger:
    """Keeps the bytes."""

    raw = b""

    def store_bytes(self, settlement: Settlement, signed: SignedBytes, *, filler: bool) -> Settlement:
        """The first are stored."""
        self.raw = signed.raw
        return settlement


@pytest.mark.parametrize(("filler", "least"), [(False, TRANSFER_GAS), (True, FILLER_GAS)])
@pytest.mark.parametrize(("network", "data"), [("base", 0), ("arbitrum", 1_000_000)])
def test_a63_the_limit_is_capped_and_has_room_for_data(network: str, data: int, *, filler: bool, least: int) -> None:
    """Read back out of the signed bytes."""
    info = network_info(network)
    ledger: Any = Ledger()
    request = Payment(some_claim(), State.SETTLING, 1).settle_request()
    settlement = Settlement(request, SettlementState.RESERVED, Slot(info.network, SIGNER.address(), 3), "me", 1)
    SlotSigner(Relayers([SIGNER]), ledger, NullJournal()).sign(settlement, MARKET, filler=filler)
    fields: Any = rlp.decode(ledger.raw[1:])
    assert int.from_bytes(fields[_GAS_LIMIT], "big") == least + data
