"""``tollgate doctor`` on the deployed stack: well, then ill in every way that can be made here."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.anvil import Anvil
from local.rpc_gate import Act
from local.stack import LocalStack
from tollgate_cli.aws import Aws
from tollgate_cli.main import main

Findings = dict[str, list[dict[str, Any]]]


class Doctor:
    """Runs the command as a person would, and reads its JSON."""

    def __init__(self, stack: LocalStack, capsys: pytest.CaptureFixture[str]) -> None:
        self._aws = Aws(stack.client("cloudformation"), stack.dynamodb, stack.functions, stack.client)
        self._name = stack.name
        self._secrets = (stack.gate.url, stack.deployed.relayer_key)
        self._capsys = capsys

    def run(self) -> tuple[int, dict[str, Any]]:
        """Exit code and document."""
        self._capsys.readouterr()
        code = main(["doctor", "--json", "--stack", self._name], connect=lambda: self._aws)
        printed = self._capsys.readouterr().out
        assert not [secret for secret in self._secrets if secret in printed]
        return code, json.loads(printed)

    def well(self) -> dict[str, Any]:
        """The document of a healthy stack."""
        code, document = self.run()
        assert (code, document["healthy"]) == (0, True), document
        return document

    def ill(self) -> dict[str, str]:
        """What must be mended: the findings by check, each with something to do."""
        code, document = self.run()
        assert (code, document["healthy"]) == (1, False), document
        to_mend = [finding for finding in document["findings"] if finding["level"] == "mend"]
        assert all(finding["todo"] for finding in to_mend)
        return {finding["check"]: finding["finding"] for finding in to_mend}


@pytest.fixture
def doctor(stack: LocalStack, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """A doctor at a calm stack: just reconciled, with a fresh block and nothing left over from other tests."""
    stack.client("sqs").purge_queue(QueueUrl=_physical(stack, "DeadLetters"))
    stack.reconcile()
    stack.chain.mine()
    return Doctor(stack, capsys)


def test_a_healthy_stack_has_nothing_to_mend_and_every_check_is_named(doctor: Doctor, stack: LocalStack) -> None:
    """Neither an RPC URL nor a key's id stands in what is printed, here or below (threat 86)."""
    document = doctor.well()
    checks = {finding["check"] for finding in document["findings"]}
    assert checks == {
        "parameters", "settle", "clock", "keys", "rpc", "domain", "fees", "gas", "pay to", "routes", "functions",
        "reconcile", "public url", "receipts", "schedule", "dead letters", "sellers",
    }  # fmt: skip
    assert stack.relayer in json.dumps(document)


def test_what_is_wrong_is_named_with_what_to_do(doctor: Doctor, stack: LocalStack) -> None:
    """No gas, dear gas, a narrow node, a paused schedule, a dead letter, a reconcile that stopped: all at once."""
    chain = stack.chain
    with _paused_schedule(stack), _dead_letter(stack), _old_status(stack):
        chain.give_gas(stack.relayer, 10**12)
        base_fee = int(chain.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**12))
        chain.mine()
        narrow = stack.gate.rule(Act.ERROR, "eth_getLogs", code=-32000, message="block range too large")
        try:
            found = doctor.ill()
        finally:
            narrow.release()
            chain.give_gas(stack.relayer)
            chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
            chain.mine()
    assert set(found) == {"gas", "fees", "rpc", "schedule", "dead letters", "reconcile"}
    assert f"{stack.relayer} has 0.000001 ETH, too little for one settlement" in found["gas"]
    assert "gas costs 1000 gwei now and MaxFeeGwei is 1: nothing is settled" in found["fees"]
    assert "eth_getLogs takes 0 blocks" in found["rpc"]
    assert "disabled" in found["schedule"]
    assert "1 run of reconcile failed" in found["dead letters"]
    assert "reconcile last got through" in found["reconcile"]
    stack.reconcile()
    doctor.well()


def test_another_chain_behind_the_endpoint_is_found(doctor: Doctor, stack: LocalStack, tmp_path: Path) -> None:
    """It would prove the wrong things."""
    other = Anvil("local", tmp_path)
    other.start()
    target, stack.gate.target = stack.gate.target, other.chain.url
    try:
        assert "serves another network than eip155:84532" in doctor.ill()["rpc"]
    finally:
        stack.gate.target = target
        other.stop()


def test_a19_a_token_with_another_domain_is_found(doctor: Doctor, stack: LocalStack) -> None:
    """The pinned domain is compared with the token's own: here there is none at all."""
    chain = stack.chain
    code = chain.rpc("eth_getCode", chain.token, "latest")
    chain.rpc("anvil_setCode", chain.token, "0x")
    try:
        assert "does not have the EIP-712 domain 'USDC', version 2" in doctor.ill()["domain"]
    finally:
        chain.rpc("anvil_setCode", chain.token, code)


def test_a_relayer_key_that_cannot_sign_is_found(doctor: Doctor, stack: LocalStack) -> None:
    """Disabled in KMS by whoever found it unused."""
    kms = stack.client("kms")
    kms.disable_key(KeyId=stack.deployed.relayer_key)
    try:
        assert "relayer key 1 cannot sign" in doctor.ill()["keys"]
    finally:
        kms.enable_key(KeyId=stack.deployed.relayer_key)


@contextlib.contextmanager
def _paused_schedule(stack: LocalStack) -> Iterator[None]:
    scheduler = stack.client("scheduler")
    schedule = scheduler.get_schedule(Name=_physical(stack, "ReconcileSchedule"))
    wanted = {key: schedule[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**wanted, State="DISABLED")
    try:
        yield
    finally:
        scheduler.update_schedule(**wanted, State="ENABLED")


@contextlib.contextmanager
def _dead_letter(stack: LocalStack) -> Iterator[None]:
    sqs, queue = stack.client("sqs"), _physical(stack, "DeadLetters")
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    try:
        yield
    finally:
        sqs.purge_queue(QueueUrl=queue)


@contextlib.contextmanager
def _old_status(stack: LocalStack) -> Iterator[None]:
    """The status row as reconcile would have left it ten minutes ago."""
    key = {"pk": {"S": f"NETWORK#{stack.chain.info.network}"}}
    table = stack.deployed.routes_table
    row = stack.dynamodb.get_item(TableName=table, Key=key)["Item"]
    status = json.loads(row["status"]["S"])
    status["checkedAt"] = int(time.time()) - 600
    old = {**row, "status": {"S": json.dumps(status)}, "checked_at": {"N": str(status["checkedAt"])}}
    stack.dynamodb.put_item(TableName=table, Item=old)
    yield


def _physical(stack: LocalStack, logical: str) -> str:
    found = stack.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId=logical)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
