"""Supported: what this facilitator would settle now, for anybody who asks."""

import time

from x402.schemas import SupportedResponse

from tests.support.functions import Functions
from tests.support.sellers import SUPPORTED
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.routes import NetworkStatus
from tollgate.wire.primitives import Address


def publish(functions: Functions, *relayers: str, has_gas: bool) -> None:
    """What reconcile writes every minute."""
    network = functions.chain.info.network
    table = RoutesTable(functions.client("dynamodb"), functions.resource("RoutesTable"), [network])
    addresses = tuple(Address.parse(relayer) for relayer in relayers)
    table.put_network_status(NetworkStatus(network, addresses, has_gas, int(time.time())))


def test_a69_only_networks_with_gas_are_supported(functions: Functions) -> None:
    """Nothing before the first check, both versions with gas, nothing without; the signers in any case."""
    assert functions.request("GET", SUPPORTED).json() == {"kinds": [], "extensions": [], "signers": {"eip155:*": []}}
    relayer = functions.relayer()
    publish(functions, relayer, has_gas=True)
    functions.cold("supported")
    reply = functions.request("GET", SUPPORTED)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == {
        "kinds": [
            {"x402Version": 2, "scheme": "exact", "network": "eip155:84532"},
            {"x402Version": 1, "scheme": "exact", "network": "base-sepolia"},
        ],
        "extensions": [],
        "signers": {"eip155:*": [relayer]},
    }
    SupportedResponse.model_validate(reply.json())
    publish(functions, relayer, has_gas=False)
    functions.cold("supported")
    empty = functions.request("GET", SUPPORTED).json()
    assert (empty["kinds"], empty["signers"]) == ([], {"eip155:*": [relayer]})


def test_it_is_public_and_read_at_most_twice_a_minute(functions: Functions) -> None:
    """One read of the statuses, without the routes; no RPC call; then from memory for half a minute."""
    functions.cold("supported")
    with functions.recording() as seen:
        for _ in range(5):
            assert functions.request("GET", SUPPORTED).status == 200
    assert [call.operation for call in seen.aws] == ["BatchGetItem"]
    assert [key for call in seen.aws for need in call.needs for key in need.keys] == ["NETWORK#eip155:84532"]
    assert seen.rpc == []
    functions.clock.skew += 31
    try:
        with functions.recording() as seen:
            functions.request("GET", SUPPORTED)
    finally:
        functions.clock.skew -= 31
    assert [call.operation for call in seen.aws] == ["BatchGetItem"]


def test_other_methods(functions: Functions) -> None:
    """HEAD is a GET without its body to API Gateway; the rest is told which one is right."""
    assert functions.request("HEAD", SUPPORTED).status == 200
    for method in ("POST", "PUT", "DELETE"):
        reply = functions.request(method, SUPPORTED)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert reply.json()["code"] == "method_not_allowed"
    assert functions.request("OPTIONS", SUPPORTED).status == 204
