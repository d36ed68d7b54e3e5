"""The doctor at a stack whose functions do not answer as they should; the whole of it is tests/e2e/test_doctor.py."""

import json

from tests.contract.cli.shell import NOW, RELAYER, Operator
from tollgate.wire.primitives import Address
from tollgate_cli.relayer_command import coins

ENDPOINT = {
    "problem": None,
    "headNumber": 1000,
    "headTimestamp": NOW,
    "baseFeeWei": "1",
    "domainMatches": True,
    "pending": True,
    "sendSync": True,
    "transferGas": 30_000,
    "logsBlocks": 9000,
    "balancesWei": [str(10**18)],
}
GOOD = {
    "feeCapWei": "1000",
    "relayers": [{"address": str(RELAYER), "signs": True}],
    "networks": [{"network": "eip155:84532", "problem": None, "endpoints": [ENDPOINT]}],
}


def test_a_function_that_does_not_answer_is_a_finding_and_the_rest_is_still_looked_at(operator: Operator) -> None:
    """An older deployment does not know the question; what it says of its inside stays there (threat 86)."""
    operator.functions.answers["settle"] = lambda event: 1 // 0
    out, _ = operator.run("doctor", "--json", code=1)
    found = {finding["check"]: finding for finding in json.loads(out)["findings"]}
    assert found["settle"]["level"] == "mend"
    assert f"else read its log: aws logs tail /aws/lambda/{operator.stack}-settle --since" in found["settle"]["todo"]
    assert found["reconcile"]["level"] == "mend"
    assert found["routes"]["finding"] == "nothing is for sale"
    assert "KEY" not in out


def test_the_lines_say_what_to_do_and_how_it_ends(operator: Operator) -> None:
    """For people: one line a finding, an arrow before what to do."""
    operator.functions.answers["settle"] = lambda event: {"now": NOW, **GOOD}
    operator.check_relayers(has_gas=True)
    out, _ = operator.run("doctor")
    assert f"ok    keys         relayer key 1 signs as {RELAYER}\n" in out
    assert "note  routes       nothing is for sale\n                   -> run tollgate routes apply" in out
    assert out.endswith(f"{operator.stack} is healthy\n")


def test_clocks_that_differ_are_noted(operator: Operator) -> None:
    """Which of the two is right is the chain's to say."""
    operator.check_relayers(has_gas=True)
    for now, expected in ((NOW + 60, "60 s behind the functions"), (NOW - 7, "7 s ahead of the functions")):
        operator.functions.answers["settle"] = lambda event, now=now: {**GOOD, "now": now, **_heads(now)}
        out, _ = operator.run("doctor")
        assert f"note  clock        this machine is {expected}" in out


def _heads(now: int) -> dict[str, object]:
    """The chain agrees with the functions."""
    endpoint = {**ENDPOINT, "headTimestamp": now}
    return {"networks": [{"network": "eip155:84532", "problem": None, "endpoints": [endpoint]}]}


def test_a_payto_that_is_the_relayer_is_found(operator: Operator) -> None:
    """The parameter of the stack against the address that its key has."""
    mine = {"address": str(Address(b"\x5e" * 20)), "signs": True}
    operator.functions.answers["settle"] = lambda event: {"now": NOW, **GOOD, "relayers": [mine]}
    operator.check_relayers(has_gas=True)
    out, _ = operator.run("doctor", code=1)
    assert "mend  pay to       PayTo is the relayer's own address" in out


def test_gas_is_named_after_the_networks_own_coin() -> None:
    """Not ether everywhere."""
    assert coins(str(25 * 10**16), "eip155:143") == "0.25 MON"
    assert coins(str(10**18), "eip155:8453") == "1 ETH"
    assert coins(str(10**18), "eip155:10") == "1 of its gas coin"
    assert coins(None, "eip155:143") == "balance unknown"
