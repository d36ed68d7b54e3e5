"""The network table against the official SDK's own, installed beside it."""

import subprocess
import sys

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from x402.client import x402ClientSync
from x402.mechanisms.evm.default_assets import DEFAULT_ASSETS
from x402.mechanisms.evm.exact import register_exact_evm_client
from x402.mechanisms.evm.v1.constants import V1_NETWORK_CHAIN_IDS, V1_NETWORKS
from x402.schemas import PaymentRequired as SdkPaymentRequired

from tests.template.cfn import ROOT
from tollgate.errors import ConfigurationError
from tollgate.gateway.pricing import format_dollars, parse_dollars
from tollgate.payment.network_table import ROWS
from tollgate.payment.networks import NETWORKS, Asset, NetworkInfo, network_info
from tollgate.schemes.exact import eip3009
from tollgate.wire import headers
from tollgate.wire.models import PaymentRequired, Requirements, Resource
from tollgate.wire.parse import parse_payment
from tollgate.wire.primitives import Address

OURS = {str(network): info for network, info in NETWORKS.items() if not info.local}
PAIRS = [(info, asset) for info in NETWORKS.values() for asset in info.assets]
# The SDK's client pays in its default assets unless it is told otherwise, so not on the chain of this machine.
SOLD = [(i, a) for i, a in PAIRS if not i.local and i.refusal() is None and a.transfer_method == "eip3009"]
IDS = [f"{info.name}-{asset.symbol}" for info, asset in PAIRS]
SOLD_IDS = [f"{info.name}-{asset.symbol}" for info, asset in SOLD]


def test_every_network_of_the_installed_sdk_has_a_row() -> None:
    """A new version of the SDK may know more, or fewer."""
    missing, surplus = sorted(DEFAULT_ASSETS.keys() - OURS.keys()), sorted(OURS.keys() - DEFAULT_ASSETS.keys())
    assert not missing, (
        f"the installed SDK has default assets on {', '.join(missing)}: add a row for each to"
        " payment/network_table.py (block time and gas coin from the network's documentation), run `make networks`"
    )
    assert not surplus, (
        f"the installed SDK no longer has default assets on {', '.join(surplus)}: find out why; then change the"
        " source of the row, or remove the row and run `make networks`"
    )


@pytest.mark.parametrize("network", DEFAULT_ASSETS)
def test_assets_and_their_domains_are_those_of_the_installed_sdk(network: str) -> None:
    """Its clients sign name and version as offered; the pinned ones must be what they expect of the token."""
    theirs = [
        (a["symbol"], a["asset"], a["name"], a["version"], a["decimals"], a.get("asset_transfer_method", "eip3009"))
        for a in DEFAULT_ASSETS[network]
    ]
    ours = [(a.symbol, str(a.address), a.name, a.version, a.decimals, a.transfer_method) for a in OURS[network].assets]
    assert ours == theirs, f"{network}: change its row in payment/network_table.py, then run `make networks`"


def test_v1_names_are_those_that_the_sdks_v1_client_pays_on() -> None:
    """ "ethereum" and "flare" have an id there, but its v1 client registers neither."""
    theirs = {V1_NETWORK_CHAIN_IDS[name]: name for name in V1_NETWORKS}
    for network, info in NETWORKS.items():
        assert info.v1_name == theirs.get(network.chain_id), f"{info.name}: change its v1 name in network_table.py"


@pytest.mark.parametrize(("info", "asset"), PAIRS, ids=IDS)
def test_every_rows_domain_separator_is_that_of_eth_account(info: NetworkInfo, asset: Asset) -> None:
    """Also where the name is not ASCII."""
    domain = {
        "name": asset.name,
        "version": asset.version,
        "chainId": info.network.chain_id,
        "verifyingContract": str(asset.address),
    }
    types = {"Nothing": [{"name": "nothing", "type": "uint256"}]}
    assert eip3009.domain_separator(asset, info.network) == encode_typed_data(domain, types, {"nothing": 0}).header


@pytest.mark.parametrize(("info", "asset"), SOLD, ids=SOLD_IDS)
def test_the_sdks_client_pays_an_offer_for_every_asset_that_can_be_sold_for(info: NetworkInfo, asset: Asset) -> None:
    """It signs what we offer, and the signature is good for the domain that we pinned."""
    account = Account.from_key("0x" + "17" * 32)
    terms = Requirements(
        "exact",
        info.network,
        parse_dollars("$0.01", asset),
        asset.address,
        Address(b"\2" * 20),
        60,
        {"name": asset.name, "version": asset.version},
    )
    offer = PaymentRequired(Resource("https://api.example.com/a", "", ""), (terms,), "pay", {})
    client = register_exact_evm_client(x402ClientSync(), account)
    payload = client.create_payment_payload(SdkPaymentRequired.model_validate(offer.to_json()))
    payment = parse_payment(headers.encode(payload.model_dump(by_alias=True, exclude_none=True, mode="json")))
    assert payment.accepted == terms
    eip3009.check_signature(asset, info.network, payment.payload.authorization, payment.payload.signature)
    assert payment.payload.authorization.from_ == Address.parse(account.address)


@pytest.mark.parametrize(("info", "asset"), PAIRS, ids=IDS)
def test_a25_a_cent_is_a_cent_on_every_scale(info: NetworkInfo, asset: Asset) -> None:
    """6 decimals and 18."""
    assert parse_dollars("$0.01", asset) == 10 ** (asset.decimals - 2)
    assert format_dollars(parse_dollars("$0.01", asset), asset) == "$0.01"


def test_a_row_is_found_by_name_and_by_id_and_nothing_stands_there_twice() -> None:
    """Also not one chain id in two rows: the later would win silently."""
    assert len({row[0] for row in ROWS}) == len({row[1] for row in ROWS}) == len(ROWS) == len(NETWORKS)
    for network, info in NETWORKS.items():
        assert network_info(network) is network_info(str(network)) is network_info(info.name) is info
        assert len({a.symbol for a in info.assets}) == len({a.address for a in info.assets}) == len(info.assets)
    with pytest.raises(ConfigurationError, match="network eip155:10 is not known"):
        network_info("eip155:10")


def test_depths_are_ten_seconds_and_half_an_hour_or_deeper() -> None:
    """Except on the chain of this machine. Rounded blocks make 1793 s good enough for half an hour."""
    for info in OURS.values():
        assert info.confirmations * info.block_seconds >= 10
        assert info.final_blocks * info.block_seconds >= 1790


def test_what_cannot_be_collected_is_refused_with_a_sentence() -> None:
    """Slow blocks (rule 5), and tokens without EIP-3009."""
    refused = {info.name for info in NETWORKS.values() if info.refusal() is not None}
    assert refused == {"ethereum", "megaeth", "mezo", "mezo-testnet", "radius", "radius-testnet", "igra"}
    assert "12 s: over 6 s is too slow" in str(network_info("ethereum").refusal())
    with pytest.raises(ConfigurationError, match="MegaUSD on megaeth has no EIP-3009"):
        network_info("megaeth").payable_asset("MegaUSD")
    assert network_info("celo").payable_asset("USAT").name == "Tether America USD"


def test_reading_the_table_is_cheap() -> None:
    """It is on the cold start of every function: no Decimal, and a few milliseconds at most on a slow machine."""
    code = (
        "import sys, time, dataclasses, tollgate.errors, tollgate.wire.primitives\n"
        "before = set(sys.modules); start = time.process_time()\n"
        "import tollgate.payment.networks\n"
        "spent = time.process_time() - start\n"
        "print(spent, *sorted(set(sys.modules) - before))"
    )
    path = {"PYTHONPATH": str(ROOT / "layers" / "tollgate")}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=path, check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(3)
    ]
    for _, *modules in runs:
        assert modules == ["tollgate.payment", "tollgate.payment.network_table", "tollgate.payment.networks"]
    assert min(float(run[0]) for run in runs) < 0.02
