"""Which relayer takes a payment, and what is said of their gas."""

from typing import Any

import pytest

from tests.support.payments import some_claim
from tests.support.settling import ListJournal
from tollgate.chain.signer import LocalSigner
from tollgate.errors import ChainUnavailable, ConfigurationError
from tollgate.facilitator.ports import Lane, Lanes
from tollgate.facilitator.relayers import Relayers, relayer_status
from tollgate.payment.events import NullJournal
from tollgate.payment.networks import NETWORKS
from tollgate.schemes.exact.eip3009 import TRANSFER_GAS
from tollgate.wire.primitives import Network

SIGNERS = [LocalSigner(bytes(31) + bytes([n])) for n in (1, 2, 3)]
FEE_CAP = 10**9
ENOUGH = TRANSFER_GAS * FEE_CAP


class Balances:
    """A chain of which only balances are known."""

    def __init__(self, balances: list[int] | None) -> None:
        self._found = balances

    def balances(self, addresses: Any, timeout: float) -> list[int]:
        if self._found is None:
            raise ChainUnavailable("silent")
        return self._found[: len(addresses)]


def lanes(**found: list[int] | None) -> Lanes:
    """Lanes by chain id, with the relayers' balances there."""
    made: dict[Network, Any] = {}
    for name, balances in found.items():
        info = NETWORKS[Network(int(name.removeprefix("chain")))]
        chain: Any = Balances(balances)
        made[info.network] = Lane(info, info.assets[0], chain)
    return made


def status(made: Lanes, count: int = 2) -> dict[str, Any]:
    """The status with the first ``count`` relayers."""
    return relayer_status(made, Relayers(SIGNERS[:count]), FEE_CAP, NullJournal(), 5)


def test_a_payment_always_has_the_same_relayer_and_all_are_used() -> None:
    """The digest decides, evenly."""
    relayers = Relayers(SIGNERS)
    ids = [some_claim().id for _ in range(60)]
    picked = [relayers.pick(id) for id in ids]
    assert picked == [Relayers(SIGNERS).pick(id) for id in ids]
    assert {signer.address() for signer in picked} == set(relayers.addresses())


def test_a_stranger_is_not_found_among_the_relayers() -> None:
    """``ours`` is decided by this."""
    relayers = Relayers(SIGNERS[:2])
    assert relayers.find(SIGNERS[1].address()) is SIGNERS[1]
    assert relayers.find(SIGNERS[2].address()) is None


def test_no_relayer_at_all_is_a_configuration_error() -> None:
    """Nothing could ever be settled."""
    with pytest.raises(ConfigurationError):
        Relayers([])


@pytest.mark.parametrize(
    ("balances", "has_gas"),
    [([ENOUGH, ENOUGH], True), ([ENOUGH, ENOUGH - 1], True), ([0, ENOUGH], True), ([ENOUGH - 1, 0], False)],
)
def test_a69_a_network_has_gas_while_some_relayer_can_pay_a_transfer_at_the_cap(
    balances: list[int], has_gas: bool
) -> None:
    """New payments go to those that can pay; none at all, and the network is not offered any more."""
    network = status(lanes(chain84532=balances))["networks"][0]
    assert network["hasGas"] is has_gas
    assert network["network"] == "eip155:84532"
    assert network["relayers"] == [
        {"address": str(signer.address()), "balanceWei": str(wei)}
        for signer, wei in zip(SIGNERS[:2], balances, strict=True)
    ]


@pytest.mark.parametrize(("short_by", "has_gas"), [(0, True), (1, False)])
def test_a69_gas_for_a_transfers_data_counts_where_a_rollup_charges_for_it(short_by: int, has_gas: bool) -> None:
    """Arbitrum's limit is higher than Base's, and what the limit may cost has to be there."""
    enough = (TRANSFER_GAS + 1_000_000) * FEE_CAP
    assert status(lanes(chain42161=[enough - short_by]), count=1)["networks"][0]["hasGas"] is has_gas


def test_a_network_without_an_rpc_is_unknown_and_does_not_hide_the_others() -> None:
    """Neither gas nor the lack of it; the address is known all the same."""
    found = status(lanes(chain84532=None, chain31337=[ENOUGH]), count=1)
    gas = {n["network"]: (n["hasGas"], n["relayers"][0]["balanceWei"]) for n in found["networks"]}
    assert gas == {"eip155:84532": (None, None), "eip155:31337": (True, str(ENOUGH))}
    assert found["networks"][0]["relayers"][0]["address"] == str(SIGNERS[0].address())


def test_a69_the_poorest_relayer_decides_how_many_settlements_are_left() -> None:
    """What the alarms look at: whole transfers at the fee cap. What the poorest has begun waits for its gas."""
    journal = ListJournal()
    made = lanes(chain84532=[700 * ENOUGH, 3 * ENOUGH - 1], chain31337=[ENOUGH, 0])
    relayer_status(made, Relayers(SIGNERS[:2]), FEE_CAP, journal, 5)
    assert [fields["settlements_left"] for _, fields in journal.lines] == [2, 0]
