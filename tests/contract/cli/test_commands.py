"""The commands as an operator runs them, against CloudFormation and DynamoDB of the local AWS."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoRegionError

from tests.contract.cli.shell import NOW, OUTPUTS, PARAMETERS, RELAYER, SEPOLIA, Operator, create_stack
from tollgate.ledger.dynamo import Put, Value
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.identity import PaymentId
from tollgate.wire.primitives import Address, Bytes32
from tollgate_cli.aws import Aws, connect
from tollgate_cli.main import main

_ROOT = Path(__file__).parents[3]
GOOD = """\
version: 1
routes:
  - method: GET
    path: /weather/{city}
    price: "$0.01"
    upstream:
      url: https://api.example.com/v1/{city}
"""


OTHER = """\
  - method: GET
    path: /status
    price: free
    upstream:
      url: https://api.example.com/status
"""


def test_a_first_apply_says_what_it_adds_and_the_table_has_it(operator: Operator) -> None:
    """And the relayers were checked once, so that their status is fresh."""
    out, err = operator.apply(GOOD)
    assert "+ GET /weather/{city}\n" in out
    assert "    price on base-sepolia: $0.01 USDC\n" in out
    assert f"applied 1 change to {operator.stack}" in out
    assert "send gas" not in err
    snapshot = operator.routes.load()
    assert [(r.id, r.accepts[0].amount) for r in snapshot.routes] == [("GET /weather/{city}", 10_000)]
    assert operator.functions.invoked == [("reconcile", {})]


def test_a_dearer_price_is_shown_and_the_old_one_stays_acceptable(operator: Operator) -> None:
    """Rule 8, end to end."""
    operator.apply(GOOD)
    out, _ = operator.apply(GOOD.replace("$0.01", "$0.02"))
    assert "~ GET /weather/{city}\n    price on base-sepolia: $0.01 USDC -> $0.02 USDC\n" in out
    assert "$0.01 USDC on base-sepolia stays acceptable for 120 s" in out
    (route,) = operator.routes.load().routes
    assert route.accepts[0].amount == 20_000
    assert [(p.requirements.amount, p.until) for p in route.previous] == [(10_000, NOW + 120)]
    assert operator.routes.load().version == 2


def test_the_same_file_again_writes_nothing(operator: Operator) -> None:
    """No new version for proxies to read, no price that ends."""
    operator.apply(GOOD)
    out, _ = operator.apply(GOOD)
    assert "serves these routes already" in out
    assert operator.routes.load().version == 1


def test_a_wrong_file_changes_nothing_and_invokes_nothing(operator: Operator) -> None:
    """Every problem by line and field, exit code 1."""
    operator.apply(GOOD)
    before, invoked = operator.routes.load(), len(operator.functions.invoked)
    wrong = GOOD.replace("$0.01", "$0").replace("https://", "http://")
    out, err = operator.apply(wrong, code=1)
    assert out == ""
    assert err.splitlines() == [
        f"{operator.file}:5: routes[0].price: must be over 0",
        f"{operator.file}:7: routes[0].upstream.url: is http://, not https://: this stack takes public https"
        " upstreams only",
    ]
    assert operator.routes.load() == before
    assert len(operator.functions.invoked) == invoked


def test_a_dry_run_shows_and_does_not_write(operator: Operator) -> None:
    """Nor does it invoke."""
    out, _ = operator.apply(GOOD, "--dry-run")
    assert "+ GET /weather/{city}" in out
    assert "plan: 1 to add, 0 to change, 0 to remove; nothing was written" in out
    assert operator.routes.load().version == 0
    assert operator.functions.invoked == []


def test_a_plan_is_applied_only_to_what_it_was_made_for(operator: Operator) -> None:
    """What it shows is what is done, or nothing is."""
    operator.apply(GOOD)
    operator.file.write_text(GOOD.replace("$0.01", "$0.02") + OTHER)
    out, _ = operator.run("routes", "plan", str(operator.file), "--stack", operator.stack)
    *shown, command = out.splitlines()
    assert "~ GET /weather/{city}" in shown
    assert "    price on base-sepolia: $0.01 USDC -> $0.02 USDC" in shown
    assert "+ GET /status" in shown
    assert "    price: free" in shown
    assert shown[-1].startswith("plan: 1 to add, 1 to change, 0 to remove")
    assert operator.routes.load().version == 1
    argv = command.split()[1:]
    assert argv[-2:] == ["--version", "1"]
    operator.routes.replace((), 1, NOW)
    _, err = operator.run(*argv, code=1)
    assert "the plan was for version 1, and" in err
    assert operator.routes.load().routes == ()
    operator.run(*argv[:-1], "2")
    assert [route.id for route in operator.routes.load().routes] == ["GET /weather/{city}", "GET /status"]


def test_a_price_that_jumps_is_said_aloud(operator: Operator) -> None:
    """Ten times as much is more often a typo than a decision."""
    operator.apply(GOOD)
    for price, said in (("$0.099", None), ("$0.1", "becomes 10 times what it was"), ("$0.001", "becomes 1/10 of")):
        out, err = operator.apply(GOOD.replace("$0.01", price), "--dry-run")
        assert f"$0.01 USDC -> {price}" in out
        assert (said or "becomes") in err if said else "becomes" not in err
    _, err = operator.apply(GOOD.replace("$0.01", "$1"))
    said = "the price on base-sepolia becomes 100 times what it was ($0.01 USDC -> $1.00 USDC)"
    assert f"GET /weather/{{city}}: {said}" in err


def test_two_operators_at_once_do_not_overwrite_each_other(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second was shown a diff against routes that are no longer there."""
    load = RoutesTable.load

    def load_then_lose(table: RoutesTable) -> Any:
        snapshot = load(table)
        operator.routes.replace((), snapshot.version, NOW)
        return snapshot

    monkeypatch.setattr(RoutesTable, "load", load_then_lose)
    _, err = operator.apply(GOOD, code=1)
    assert "somebody else applied routes" in err
    monkeypatch.undo()
    assert operator.routes.load().routes == ()


def test_a_relayer_without_gas_is_warned_about_with_its_address(operator: Operator) -> None:
    """The routes stand; the network is left out of the offers until gas arrives."""
    operator.functions.answers["reconcile"] = lambda event: operator.check_relayers(has_gas=False)
    _, err = operator.apply(GOOD)
    assert f"base-sepolia is left out of the offers: send gas to its relayer {RELAYER}" in err
    assert operator.routes.load().version == 1


def test_a_reconcile_that_fails_is_a_warning_without_what_it_said(operator: Operator) -> None:
    """The routes are applied; a function's error text may hold an RPC URL and is not shown (threat 86)."""
    operator.functions.answers["reconcile"] = lambda event: 1 // 0
    out, err = operator.apply(GOOD)
    assert "applied 1 change" in out
    assert "the routes stand, but the relayers could not be checked: reconcile failed (Unhandled)" in err
    assert "nothing is known of its relayers yet" in err
    assert "KEY" not in out + err


def test_apply_as_json_is_one_document(operator: Operator) -> None:
    """For a pipeline: what changed, what is still accepted, what was warned about."""
    operator.apply(GOOD)
    document = json.loads(operator.apply(GOOD.replace("$0.01", "$0.02"), "--json")[0])
    assert (document["applied"], document["version"], document["stack"]) == (True, 2, operator.stack)
    assert document["changes"] == [
        {
            "change": "change",
            "route": "GET /weather/{city}",
            "fields": [{"field": "price on base-sepolia", "before": "$0.01 USDC", "after": "$0.02 USDC"}],
        }
    ]
    assert len(document["stillAccepted"]) == 1
    assert document["relayers"] == [{"network": "eip155:84532", "relayers": [str(RELAYER)], "hasGas": True}]
    wrong = json.loads(operator.apply(GOOD.replace("$0.01", "$0"), "--json", code=1)[0])
    assert wrong["problems"] == [{"line": 5, "field": "routes[0].price", "problem": "must be over 0"}]


def test_check_needs_no_aws_and_with_a_stack_checks_against_it(operator: Operator) -> None:
    """Base is known to Tollgate, but this stack does not serve it."""
    operator.file.write_text(GOOD + "    networks: [base]\n", encoding="utf-8")

    def no_aws() -> Aws:
        raise NoRegionError

    assert main(["routes", "check", str(operator.file)], connect=no_aws) == 0
    _, err = operator.run("routes", "check", str(operator.file), code=1)
    assert ":8: routes[0].networks[0]: base is not a network of this stack; it has base-sepolia" in err
    assert operator.routes.load().version == 0


def test_relayer_prints_addresses_and_balances(operator: Operator) -> None:
    """Gas in ether, exactly; and a warning for the one that has none."""
    one = {"address": str(RELAYER), "balanceWei": "1500000000000000000", "secret": "S"}
    none = {"address": "0x" + "0b" * 20, "balanceWei": 0}
    operator.functions.answers["settle"] = lambda event: {
        "networks": [
            {"network": "eip155:84532", "relayers": [one], "hasGas": True},
            {"network": "eip155:8453", "relayers": [none], "hasGas": False},
        ]
    }
    out, err = operator.run("relayer")
    assert f"base-sepolia   {RELAYER}  1.5 ETH\n" in out
    assert f"base           {none['address']}  0 ETH\n" in out
    assert "base is left out of the offers" in err
    document = json.loads(operator.run("relayers", "--json")[0])
    assert document["networks"][0]["relayers"] == [{"address": str(RELAYER), "balanceWei": "1500000000000000000"}]
    assert operator.functions.invoked[-1] == ("settle", {"op": "relayers"})


def test_relayer_says_that_another_facilitator_settles(operator: Operator) -> None:
    """The stack's own relayers matter to nobody but sellers elsewhere, and no offer depends on them."""
    url = "https://facilitator.example/v2"
    name = f"{operator.stack}-remote"
    create_stack(operator.aws.cloudformation, name, PARAMETERS | {"FacilitatorUrl": url}, OUTPUTS)
    empty = {"address": str(RELAYER), "balanceWei": "0"}
    operator.functions.answers["settle"] = lambda event: {
        "networks": [{"network": "eip155:84532", "relayers": [empty], "hasGas": False}]
    }
    out, err = operator.run_anywhere("relayer", "--stack", name)
    assert out.startswith(f"{name} settles its payments through {url}; these relayers only serve sellers")
    assert "left out of the offers" not in err
    assert "base-sepolia cannot be settled on by sellers elsewhere" in err
    assert json.loads(operator.run_anywhere("relayer", "--stack", name, "--json")[0])["facilitator"] == url


@pytest.mark.parametrize("answer", [{}, [], None, b"not json", {"networks": [{"network": "eip155:1"}]}])
def test_a_settle_that_answers_something_else_is_a_sentence(operator: Operator, answer: Any) -> None:
    """Not a stack trace."""
    operator.functions.answers["settle"] = lambda event: answer
    out, err = operator.run("relayer", code=1)
    assert out == ""
    assert "settle answered" in err


PAYMENT = PaymentId(SEPOLIA, Address(b"\x01" * 20), Address(b"\x02" * 20), Bytes32(b"\x03" * 32))
TRANSACTION = "0x" + "ab" * 32
SECRETS: dict[str, Value | None] = {
    "signature": b"SECRETSIG",
    "later": b"SECRETLATER",
    "raw": "SECRETRAW",
    "identifier": "SECRETID",
    "owner": "SECRETOWNER",
}


def put_payment(operator: Operator, *, log_index: int | None) -> None:
    """A payment as the ledger writes one, and its rows when it is settled."""
    item: dict[str, Value | None] = {
        "pk": f"PAY#{PAYMENT.digest}",
        "identity": str(PAYMENT),
        "value": 10_000,
        "claimed_at": NOW,
    }
    settled: dict[str, Value | None] = {
        "state": "SETTLED",
        "transaction": TRANSACTION,
        "log_index": log_index,
    }
    pending: dict[str, Value | None] = {"state": "SETTLING", "transaction": TRANSACTION}
    operator.payments.write(Put(item | SECRETS | (pending if log_index is None else settled)))
    answer: dict[str, Value | None] = {
        "pk": f"ANS#{PAYMENT.digest}",
        "status": 200,
        "headers": "SECRETHEAD",
        "body": b"SECRETBODY",
    }
    operator.payments.write(Put(answer))
    if log_index is not None:
        row = {"pk": f"LOG#{SEPOLIA}#{TRANSACTION}#{log_index}", "payment": PAYMENT.digest}
        operator.payments.write(Put(row))
        receipt: dict[str, Value | None] = {
            "pk": f"RCT#{PAYMENT.digest}",
            "payment": PAYMENT.digest,
            "amount": 10_000,
        }
        operator.payments.write(Put(receipt))


@pytest.mark.parametrize("log_index", [0, 7, 150])
@pytest.mark.parametrize("id", [PAYMENT.digest, str(PAYMENT), TRANSACTION, TRANSACTION.upper().replace("X", "x")])
def test_a_settled_payment_is_shown_whatever_it_is_called_by(operator: Operator, id: str, log_index: int) -> None:
    """By id, identity or transaction: state, receipt, log row; never what must not be seen."""
    put_payment(operator, log_index=log_index)
    out, err = operator.run("payment", "show", id)
    assert "  state                SETTLED\n" in out
    assert "  claimed_at           1800000000 (2027-01-15 08:00:00 UTC)\n" in out
    assert "receipt\n" in out
    assert "SECRET" not in out + err
    text, err = operator.run("payment", "show", id, "--json")
    (payment,) = json.loads(text)["payments"]
    assert set(payment) == {"payment", "receipt", "answer", "log"}
    assert payment["payment"]["id"] == payment["log"]["payment"] == PAYMENT.digest
    assert "SECRET" not in text + err


def test_an_unsettled_payment_is_found_by_its_transaction_too(operator: Operator) -> None:
    """There is no log row yet: the table is read, and it is said while it lasts."""
    put_payment(operator, log_index=None)
    out, err = operator.run("payment", "show", TRANSACTION)
    assert "SETTLING" in out
    assert "reading the whole payments table" in err


def test_two_payments_of_one_transaction_are_both_shown(operator: Operator) -> None:
    """A batch pays several; one log pays one (threat 114)."""
    put_payment(operator, log_index=3)
    other = PaymentId(SEPOLIA, PAYMENT.asset, PAYMENT.payer, Bytes32(b"\x04" * 32))
    operator.payments.write(Put({"pk": f"PAY#{other.digest}", "identity": str(other), "state": "SETTLED"}))
    row = {"pk": f"LOG#{SEPOLIA}#{TRANSACTION}#5", "payment": other.digest}
    operator.payments.write(Put(row))
    document = json.loads(operator.run("payment", "show", TRANSACTION, "--json")[0])
    assert {p["payment"]["id"] for p in document["payments"]} == {PAYMENT.digest, other.digest}


def test_a_debt_is_shown_with_the_payment(operator: Operator) -> None:
    """What the upstream ran for and nobody paid."""
    put_payment(operator, log_index=None)
    operator.payments.write(Put({"pk": f"DEBT#{PAYMENT.digest}", "why": "expired", "at": NOW}))
    assert "debt\n" in operator.run("payment", "show", PAYMENT.digest)[0]


def test_an_unknown_payment_is_exit_code_1(operator: Operator) -> None:
    """And what is no id at all is a sentence about ids."""
    _, err = operator.run("payment", "show", "ab" * 32, code=1)
    assert "knows no payment" in err
    _, err = operator.run("payment", "show", TRANSACTION, code=1)
    assert "knows no payment" in err
    _, err = operator.run("payment", "show", "12", code=1)
    assert "give its id (64 hex digits)" in err


@pytest.mark.parametrize("missing", ["RoutesTableName", "ApiUrl", "Network", "PayTo"])
def test_a_stack_that_is_not_tollgates_is_a_sentence(operator: Operator, missing: str) -> None:
    """Naming what it lacks."""
    name = f"other-{secrets.token_hex(4)}"
    outputs = {k: v for k, v in OUTPUTS.items() if k != missing}
    parameters = {k: v for k, v in PARAMETERS.items() if k != missing}
    create_stack(operator.aws.cloudformation, name, parameters, outputs)
    operator.file.write_text(GOOD, encoding="utf-8")
    _, err = operator.run_anywhere("routes", "apply", str(operator.file), "--stack", name, code=1)
    assert f"stack {name} has no {missing}" in err


def test_a_stack_that_is_not_there_and_an_aws_that_is_not_there_are_sentences(operator: Operator) -> None:
    """No traceback for a typo or a missing region."""
    _, err = operator.run_anywhere("relayer", "--stack", "nowhere", code=1)
    assert "there is no stack nowhere" in err

    def unreachable() -> Aws:
        raise EndpointConnectionError(endpoint_url="https://x.example")

    assert main(["relayer", "--stack", "x", "--json"], connect=unreachable) == 1


def test_the_region_is_read_as_the_aws_cli_reads_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """AWS_REGION is enough, though boto3 does not read it; without any Region the sentence names it."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert main(["relayer", "--stack", "x"]) == 1
    assert "set AWS_REGION" in capsys.readouterr().err
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert connect().dynamodb.meta.region_name == "eu-north-1"


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell expects: 130."""

    def interrupted() -> Aws:
        raise KeyboardInterrupt

    assert main(["relayer", "--stack", "x"], connect=interrupted) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["routes", "--help"],
        ["routes", "apply", "--help"],
        ["routes", "plan", "--help"],
        ["payment", "--help"],
        ["payment", "show", "--help"],
        ["payment", "refunded", "--help"],
    ],
)
def test_help_helps(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 and a page that says how to go on."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 0
    assert "--stack" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["routes"], ["relayer"], ["routes", "apply", "x.yaml"], ["payment", "refunded", "x"]]
)
def test_wrong_usage_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As every command line does."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage: tollgate" in capsys.readouterr().err


@pytest.mark.parametrize("start", [[sys.executable, "-m", "tollgate_cli"], [str(_ROOT / "bin" / "tollgate")]])
def test_it_runs_as_a_command_from_anywhere(start: list[str], tmp_path: Path) -> None:
    """``python -m tollgate_cli`` and ``bin/tollgate``, without any AWS, on the example in the repository."""
    path = f"{_ROOT / 'cli'}{os.pathsep}{_ROOT / 'layers' / 'tollgate'}"
    command = [*start, "routes", "check", str(_ROOT / "examples" / "routes.yaml"), "--json"]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    example = (_ROOT / "examples" / "routes.yaml").read_text()
    assert json.loads(done.stdout)["routes"] == example.count("\n    path: ") > 2
