"""What settle can say of its own keys and endpoints, for ``tollgate doctor``. Read only."""

import os
import time
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tollgate.chain.rpc import RpcClient
from tollgate.chain.signer import KmsSigner
from tollgate.errors import ConfigurationError
from tollgate.facilitator.checkup import examine_endpoint, examine_signer
from tollgate.payment.networks import NetworkInfo
from tollgate.settings import read_refund_settings, read_settings, read_settle_settings
from tollgate.wire.primitives import Address
from tollgate.wiring.shared import AWS, SecretReader, rpc_urls

_ALL_SECONDS = 14.0
_ENDPOINT_SECONDS = 4.0


def checkup() -> dict[str, Any]:
    """Clock, relayers and RPC endpoints as JSON without URLs or keys; wei as decimal strings.

    ``{"now", "feeCapWei", "relayers": [{"address", "signs"} | {"problem"}], "treasury": as a relayer, or null,
    "networks": [{"network", "problem", "endpoints": [see examine_endpoint]}]}``
    """
    deadline = time.monotonic() + _ALL_SECONDS
    settings, own = read_settings(os.environ), read_settle_settings(os.environ)
    kms = boto3.client("kms", config=AWS)
    keys = [KmsSigner(kms, key) for key in own.relayer_keys]
    relayers = [_relayer(key) for key in keys]
    addresses = [Address.parse(one["address"]) for one in relayers if "address" in one]
    secret = SecretReader()
    networks = [
        {"network": str(info.network)} | _network(info, own.asset, settings.rpc_secret, secret, addresses, deadline)
        for info in settings.networks
    ]
    refunds = read_refund_settings(os.environ)
    return {
        "now": time.time(),
        "feeCapWei": str(own.fee_cap),
        "relayers": relayers,
        # Where nothing is refunded by itself nobody needs the key to sign.
        "treasury": _relayer(KmsSigner(kms, refunds.treasury_key)) if refunds.begins else None,
        "networks": networks,
    }


def _relayer(key: KmsSigner) -> dict[str, Any]:
    try:
        return examine_signer(key)
    except ClientError as error:
        return {"problem": f"KMS refuses it: {error.response['Error']['Code']}"}
    except (BotoCoreError, ConfigurationError) as error:
        return {"problem": f"{type(error).__name__}: it cannot sign"}


def _network(
    info: NetworkInfo,
    wanted: str,
    secret_name: str,
    secret: SecretReader,
    relayers: Sequence[Address],
    deadline: float,
) -> dict[str, Any]:
    try:
        asset = info.payable_asset(wanted)
        clients = [RpcClient([url]) for url in rpc_urls(secret.get(secret_name), info.network)]
    except ConfigurationError as error:
        return {"problem": str(error), "endpoints": []}
    endpoints: list[dict[str, Any]] = []
    # No key, no address to look at: the balance of nobody will do.
    owners = relayers or [Address(b"\x01" * 20)]
    for rpc in clients:
        left = min(_ENDPOINT_SECONDS, deadline - time.monotonic())
        late = {"problem": "not asked: the others took too long"}
        endpoints.append(examine_endpoint(rpc, info, asset, owners, left) if left > 0 else late)
    return {"problem": None, "endpoints": endpoints}
