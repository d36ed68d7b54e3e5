"""``tollgate relayer``: who signs, and whether they can pay for gas."""

from decimal import Decimal
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.payment.networks import network_info
from tollgate.wire.primitives import Network
from tollgate_cli.aws import Aws, FunctionFailed, invoke
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import read_stack


def relayer(stack_name: str, aws: Aws, progress: Progress) -> Result:
    """Address and gas balance of every relayer on every network. Raises ``FunctionFailed``."""
    stack = read_stack(aws.cloudformation, stack_name)
    progress(f"asking {stack.settle_function}")
    answer = invoke(aws.functions, stack.settle_function, {"op": "relayers"})
    try:
        networks = [_network(item) for item in answer["networks"]]
    except (KeyError, TypeError, ValueError) as error:
        raise FunctionFailed(f"{stack.settle_function} answered in another form than expected") from error
    lines: list[str] = []
    warnings: list[str] = []
    if stack.facilitator_url:
        lines.append(
            f"{stack.name} settles its payments through {stack.facilitator_url}; "
            "these relayers only serve sellers who use this stack as their facilitator:"
        )
    for item in networks:
        name = _name(item["network"])
        for one in item["relayers"]:
            lines.append(f"{name:<14} {one['address']}  {coins(one['balanceWei'], item['network'])}")
        if item["hasGas"] is None:
            warnings.append(f"{name}: its RPC endpoint does not answer, so the balances are not known")
        elif not item["hasGas"]:
            addresses = " or ".join(one["address"] for one in item["relayers"])
            effect = (
                "cannot be settled on by sellers elsewhere" if stack.facilitator_url else "is left out of the offers"
            )
            warnings.append(f"{name} {effect}: send gas to its relayer {addresses}")
    unknown = any(item["hasGas"] is None for item in networks)
    document = {
        "stack": stack.name,
        "facilitator": stack.facilitator_url or None,
        "networks": networks,
        "warnings": warnings,
    }
    return Result(document, lines, warnings, code=1 if unknown else 0)


def _network(item: Any) -> dict[str, Any]:
    """Only what is expected, so that nothing else a function answers is ever printed."""
    relayers = [{"address": str(one["address"]), "balanceWei": _wei(one["balanceWei"])} for one in item["relayers"]]
    if item["hasGas"] is not None and not isinstance(item["hasGas"], bool):
        raise ValueError("hasGas must be a boolean or null")
    network = str(Network.parse(item["network"]))
    return {"network": network, "relayers": relayers, "hasGas": item["hasGas"]}


def _wei(value: Any) -> str | None:
    return None if value is None else str(int(value))


def _name(network: str) -> str:
    try:
        return network_info(network).name
    except ConfigurationError:
        return network


def coins(wei: str | None, network: str) -> str:
    """``0.25 ETH``: an amount of the coin that pays for gas on this network."""
    if wei is None:
        return "balance unknown"
    try:
        coin = network_info(network).gas_coin
    except ConfigurationError:
        coin = "of its gas coin"
    return f"{Decimal(wei).scaleb(-18).normalize():f} {coin}"
