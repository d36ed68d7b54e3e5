"""The doctor on what settle saw: keys, gas, fees and RPC endpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from tollgate.chain.uses import CHUNK_BLOCKS
from tollgate.errors import ConfigurationError
from tollgate.facilitator.checkup import search_blocks
from tollgate.payment.networks import NetworkInfo, network_info
from tollgate.schemes.exact.eip3009 import TRANSFER_GAS
from tollgate_cli.aws import FunctionFailed
from tollgate_cli.doctor_report import Report, listed
from tollgate_cli.relayer_command import coins
from tollgate_cli.stack import Stack

# What an authorization costs on top of a transfer of nothing: the signature's check and two storage words.
_AUTHORIZATION_GAS = 60_000
# As LowGasAlarm has it.
_FEW_SETTLEMENTS = 200
_STALE_BLOCKS = 30
_STALE_SECONDS = 60
_AHEAD_SECONDS = 15


def check(stack: Stack, inside: Mapping[str, Any], report: Report) -> list[str]:
    """All of it; returns the relayers' addresses. Raises ``FunctionFailed`` for an answer of another form."""
    try:
        relayers = _keys(inside["relayers"], report)
        # A version before refunds does not say.
        _treasury(inside.get("treasury"), report)
        for network in inside["networks"]:
            info = network_info(network["network"])
            _network(stack, info, network, relayers, float(inside["now"]), int(inside["feeCapWei"]), report)
        answered = {str(network["network"]) for network in inside["networks"]}
    except (KeyError, TypeError, ValueError, ConfigurationError) as error:
        raise FunctionFailed(f"{stack.settle_function} answered in another form than expected") from error
    if missing := [info.name for info in stack.facts.networks if str(info.network) not in answered]:
        report.mend("settle", f"the function that signs does not know {', '.join(missing)}", "deploy the stack again")
    return relayers


def _keys(keys: Sequence[Mapping[str, Any]], report: Report) -> list[str]:
    for number, key in enumerate(keys, 1):
        if "address" in key:
            report.ok("keys", f"relayer key {number} signs as {key['address']}")
        else:
            todo = "enable the key and let the settle role sign: its key policy must name it (docs/operations.md)"
            report.mend("keys", f"relayer key {number} cannot sign: {key['problem']}", todo)
    return [str(key["address"]) for key in keys if "address" in key]


def _treasury(key: Mapping[str, Any] | None, report: Report) -> None:
    if key is None:
        return
    if "address" in key:
        report.ok("refunds", f"they are paid from {key['address']}: keep some of the token there")
    else:
        todo = "enable the key and let the settle role sign, or set Refunds=manual (docs/operations.md, Refunds)"
        report.mend("refunds", f"the treasury's key (TreasuryKeyArn) cannot sign: {key['problem']}", todo)


def _network(
    stack: Stack,
    info: NetworkInfo,
    network: Mapping[str, Any],
    relayers: Sequence[str],
    now: float,
    fee_cap: int,
    report: Report,
) -> None:
    if network["problem"]:
        report.mend("rpc", f"{info.name}: {network['problem']}", "mend the secret RpcSecretName or the parameter Asset")
        return
    endpoints = network["endpoints"]
    for number, endpoint in enumerate(endpoints, 1):
        name = f"{info.name}, endpoint {number} of {len(endpoints)}"
        if endpoint["problem"]:
            todo = "mend its URL in the secret RpcSecretName, or put another endpoint there; seen within 5 minutes"
            report.mend("rpc", f"{name}: {endpoint['problem']}", todo)
        else:
            _endpoint(name, info, endpoint, now, report)
    if len(endpoints) == 1 and not info.testnet:
        sentence = f"{info.name}: one RPC endpoint only: what it says of a failed payment is believed unchecked"
        report.note("rpc", sentence, "put a second one, of another provider, into the secret RpcSecretName")
    if good := [endpoint for endpoint in endpoints if not endpoint["problem"]]:
        _domain(stack, info, good, report)
        _fees(info, good[0], fee_cap, report)
        _gas(stack, info, dict(zip(relayers, good[0]["balancesWei"], strict=False)), fee_cap, report)


def _endpoint(name: str, info: NetworkInfo, endpoint: Mapping[str, Any], now: float, report: Report) -> None:
    report.ok("rpc", f"{name}: serves {info.network}, block {endpoint['headNumber']}")
    needed, took = search_blocks(info), endpoint["logsBlocks"]
    if took < needed:
        sentence = f"{name}: eth_getLogs takes {took} blocks; finding a payment again can need {needed}"
        report.mend("rpc", sentence, "use a provider or a plan that allows wider searches")
    elif took < CHUNK_BLOCKS:
        report.note("rpc", f"{name}: eth_getLogs takes {took} blocks; after a long outage {CHUNK_BLOCKS} are asked for")
    if not endpoint["pending"]:
        report.note("rpc", f"{name}: no 'pending' block tag, so payments that are still in the pool are not seen")
    if not endpoint["sendSync"]:
        report.note("rpc", f"{name}: no eth_sendRawTransactionSync, so every settlement polls for its receipt")
    age = now - endpoint["headTimestamp"]
    if age > max(_STALE_SECONDS, _STALE_BLOCKS * info.block_seconds):
        report.mend("clock", f"{name}: its newest block is {age:.0f} s old", "use an endpoint that keeps up")
    elif age < -_AHEAD_SECONDS:
        sentence = f"{name}: its newest block is {-age:.0f} s ahead of the functions' clock"
        report.mend("clock", sentence, "authorizations would be taken for valid too long: use another endpoint")
    else:
        report.ok("clock", f"{name}: its newest block is {max(age, 0):.0f} s old")


def _domain(stack: Stack, info: NetworkInfo, good: Sequence[Mapping[str, Any]], report: Report) -> None:
    asset = info.asset(stack.facts.asset)
    if all(endpoint["domainMatches"] for endpoint in good):
        report.ok("domain", f"{info.name}: {asset.symbol} signs as {asset.name!r}, version {asset.version}, as pinned")
        return
    report.mend(
        "domain",
        f"{info.name}: the token {asset.address} does not have the EIP-712 domain {asset.name!r}, version"
        f" {asset.version}: no payment would be accepted",
        "see whether this is the right network behind the endpoint; else leave the network out and report it",
    )


def _fees(info: NetworkInfo, endpoint: Mapping[str, Any], fee_cap: int, report: Report) -> None:
    base_fee = int(endpoint["baseFeeWei"])
    now = f"{info.name}: gas costs {_gwei(base_fee)} gwei now and MaxFeeGwei is {_gwei(fee_cap)}"
    if fee_cap < base_fee:
        report.mend("fees", f"{now}: nothing is settled", "deploy with a higher MaxFeeGwei")
    elif fee_cap < 2 * base_fee:
        report.note("fees", f"{now}: settlements wait as soon as it doubles", "deploy with a higher MaxFeeGwei")
    else:
        report.ok("fees", now)
    gas = endpoint["transferGas"]
    limit = TRANSFER_GAS + info.data_gas
    if gas is not None and int(gas) + _AUTHORIZATION_GAS > limit:
        report.note(
            "fees",
            f"{info.name}: a transfer of nothing needs {gas} gas here; a settlement has {limit} and may run out",
        )


def _gas(stack: Stack, info: NetworkInfo, balances: Mapping[str, str], fee_cap: int, report: Report) -> None:
    most = max((int(wei) for wei in balances.values()), default=0)
    others_can = most >= (TRANSFER_GAS + info.data_gas) * fee_cap
    for address, wei in balances.items():
        count = int(wei) // ((TRANSFER_GAS + info.data_gas) * fee_cap)
        has = f"{info.name}: {address} has {coins(wei, str(info.network))}"
        todo = f"send {info.gas_coin} to {listed([address])}; reconcile notices within a minute"
        if count == 0 and stack.facilitator_url:
            report.note("gas", f"{has}, too little for a settlement for sellers elsewhere", todo)
        elif count == 0 and others_can:
            report.mend("gas", f"{has}, too little for one settlement: what it has begun waits", todo)
        elif count == 0:
            report.mend("gas", f"{has}, too little for one settlement at MaxFeeGwei: nothing is offered there", todo)
        elif count < _FEW_SETTLEMENTS:
            report.note("gas", f"{has}, which may last for {count} settlements only", todo)
        else:
            report.ok("gas", f"{has}, enough for {count} settlements at MaxFeeGwei")


def _gwei(wei: int) -> str:
    return f"{wei / 10**9:.9f}".rstrip("0").rstrip(".")
