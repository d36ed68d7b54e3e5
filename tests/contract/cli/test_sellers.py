"""``tollgate seller`` as an operator types it: what it writes, what it shows, and what it never shows."""

import json

import pytest

from tests.contract.cli.shell import OUTPUTS, PARAMETERS, SEPOLIA, Operator, create_stack
from tollgate.ledger.dynamo import ConditionFailed
from tollgate.payment.networks import network_info
from tollgate.payment.sellers import Seller, key_hash, name_in
from tollgate.wire.primitives import Address
from tollgate_cli import doctor_stack
from tollgate_cli.doctor_report import Report
from tollgate_cli.stack import read_stack

PAY_TO = "0x" + "ab" * 20
USDC = network_info(SEPOLIA).asset("USDC")
ADD = ("--pay-to", PAY_TO, "--allow", "base-sepolia:USDC:$0.10", "--settlements-per-day", "50")


def added(operator: Operator, *more: str) -> str:
    """Add the seller ``tea-shop``; its key."""
    out, err = operator.run("seller", "add", "tea-shop", *ADD, *more)
    assert err == ""
    return out.splitlines()[-1]


def test_add_prints_the_key_once_and_keeps_its_hash_only(operator: Operator) -> None:
    """And the limits as they will be applied."""
    out, _ = operator.run("seller", "add", "tea-shop", *ADD)
    key = out.splitlines()[-1]
    assert out.count("tg_") == 1
    assert name_in(key) == "tea-shop"
    assert "USDC on base-sepolia, at most $0.10 a payment" in out
    assert "50 settlements a day, 1 key" in out
    seller = operator.sellers.find("tea-shop")
    assert seller is not None
    assert seller.pay_to == (Address.parse(PAY_TO),)
    assert [(a.network, a.asset, a.max_amount) for a in seller.allowances] == [(SEPOLIA, USDC.address, 100_000)]
    assert seller.settlements_per_day == 50
    assert seller.key_hashes == (key_hash(key),)
    assert seller.holds(key)


def test_an_allowance_may_be_in_atomic_units_of_a_token_address(operator: Operator) -> None:
    """The network's own id has a colon in it."""
    operator.run(
        *("seller", "add", "a", "--pay-to", PAY_TO, "--pay-to", "0x" + "cd" * 20),
        *("--allow", f"eip155:84532:{USDC.address}:7", "--settlements-per-day", "1", "--json"),
    )
    seller = operator.sellers.find("a")
    assert seller is not None
    assert len(seller.pay_to) == 2
    assert seller.allowances[0].max_amount == 7


def test_list_never_prints_a_key_or_its_hash(operator: Operator) -> None:
    """Neither for people nor as JSON."""
    assert "nobody's facilitator" in operator.run("seller", "list")[0]
    key = added(operator)
    for out in (operator.run("seller", "list")[0], operator.run("seller", "list", "--json")[0]):
        assert "tea-shop" in out
        assert key not in out
        assert key[-43:] not in out
        assert key_hash(key) not in out
    document = json.loads(operator.run("seller", "list", "--json")[0])
    assert document["sellers"] == [
        {
            "seller": "tea-shop",
            "payTo": [str(Address.parse(PAY_TO))],
            "allow": [{"network": "eip155:84532", "asset": str(USDC.address), "maxAmount": "100000"}],
            "settlementsPerDay": 50,
            "keys": 1,
        }
    ]


def test_rotate_adds_a_key_and_drops_the_others_when_told(operator: Operator) -> None:
    """Two keys work while a seller changes over; then only the newest."""
    first = added(operator)
    second = operator.run("seller", "rotate", "tea-shop")[0].splitlines()[-1]
    seller = operator.sellers.find("tea-shop")
    assert seller is not None
    assert seller.holds(first)
    assert seller.holds(second)
    third = json.loads(operator.run("seller", "rotate", "tea-shop", "--drop-others", "--json")[0])["key"]
    seller = operator.sellers.find("tea-shop")
    assert seller is not None
    assert [seller.holds(key) for key in (first, second, third)] == [False, False, True]
    assert seller.settlements_per_day == 50


def test_keys_do_not_pile_up(operator: Operator) -> None:
    """Nobody remembers five."""
    added(operator)
    for _ in range(3):
        operator.run("seller", "rotate", "tea-shop")
    _, err = operator.run("seller", "rotate", "tea-shop", code=1)
    assert "--drop-others" in err


def test_a_rotation_cannot_bring_back_a_seller_that_was_removed(operator: Operator) -> None:
    """Read before, written after it was removed and added anew: the old keys stay out, the new one stays in."""
    old = added(operator)
    found = operator.sellers.load("tea-shop")
    assert found is not None
    operator.run("seller", "remove", "tea-shop")
    new = added(operator)
    with pytest.raises(ConditionFailed):
        operator.sellers.replace(*found)
    seller = operator.sellers.find("tea-shop")
    assert seller is not None
    assert [seller.holds(key) for key in (old, new)] == [False, True]


def test_remove_forgets_a_seller(operator: Operator) -> None:
    """And says so when there is none."""
    added(operator)
    assert "removed" in operator.run("seller", "remove", "tea-shop")[0]
    assert operator.sellers.find("tea-shop") is None
    assert "there is no seller tea-shop" in operator.run("seller", "remove", "tea-shop", code=1)[1]
    assert "there is no seller tea-shop" in operator.run("seller", "rotate", "tea-shop", code=1)[1]


def test_a_second_seller_of_the_same_name_changes_nothing(operator: Operator) -> None:
    """The first one's keys and limits stay."""
    key = added(operator)
    out, err = operator.run("seller", "add", "tea-shop", *ADD, code=1)
    assert out == ""
    assert "rotate gives it another key" in err
    seller = operator.sellers.find("tea-shop")
    assert seller is not None
    assert seller.holds(key)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "self"}, "must not be self"),
        ({"name": "Tea_Shop"}, "lower-case letters"),
        ({"--pay-to": "0x12"}, "--pay-to 0x12: must be 0x and 40 hex digits"),
        ({"--pay-to": "0x" + "00" * 20}, "is the zero address"),
        ({"--pay-to": str(USDC.address)}, "is a token itself"),
        ({"--pay-to": PARAMETERS["PayTo"]}, "is where this stack's own routes are paid"),
        ({"--allow": "base-sepolia:USDC"}, "must be NETWORK:ASSET:MAX"),
        ({"--allow": "base:USDC:$1"}, "is on base, where this stack does not settle; it settles on base-sepolia"),
        ({"--allow": "atlantis:USDC:$1"}, "network atlantis is not known"),
        ({"--allow": "base-sepolia:DOGE:$1"}, "asset DOGE is not known"),
        ({"--allow": "base-sepolia:USDC:$0"}, "must be over 0"),
        ({"--allow": "base-sepolia:USDC:$0.0000001"}, "decimals of USDC"),
        ({"--allow": "base-sepolia:USDC:1.5"}, "its MAX, 1.5, is neither dollars nor a whole number"),
        ({"--allow": "base-sepolia:USDC:/bin/sh.10"}, "$ needs single quotes: 'base:USDC:$0.10'"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    operator: Operator, changes: dict[str, str], sentence: str
) -> None:
    """One sentence, exit code 1."""
    said = {"name": "tea-shop", "--pay-to": PAY_TO, "--allow": "base-sepolia:USDC:$0.10"} | changes
    options = [part for option in ("--pay-to", "--allow") for part in (option, said[option])]
    out, err = operator.run("seller", "add", said["name"], *options, "--settlements-per-day", "1", code=1)
    assert out == ""
    assert sentence in err
    assert operator.sellers.all() == []


def test_a115_nobody_elsewhere_is_paid_where_a_route_is(operator: Operator) -> None:
    """One payment would be good for both: it signs no more of what it buys than who is paid."""
    operator.apply(
        "version: 1\nroutes:\n"
        f"  - {{method: GET, path: /tea, price: $0.01, payTo: '{PAY_TO}', upstream: {{url: https://tea.example/tea}}}}\n"
    )
    _, err = operator.run("seller", "add", "tea-shop", *ADD, code=1)
    assert f"--pay-to {PAY_TO}: is where this stack's own routes are paid" in err
    assert operator.sellers.all() == []


def test_a115_no_route_is_paid_where_somebody_elsewhere_is(operator: Operator) -> None:
    """The other way round: routes that come later change nothing, and say whose address it is."""
    operator.run("seller", "add", "tea-shop", *ADD)
    routes = (
        "version: 1\nroutes:\n"
        f"  - {{method: GET, path: /tea, price: $0.01, payTo: '{PAY_TO}', upstream: {{url: https://tea.example/tea}}}}\n"
    )
    _, err = operator.apply(routes, code=1)
    assert f"{Address.parse(PAY_TO)} is where routes of this stack and the seller tea-shop are paid" in err
    assert operator.routes.load().version == 0


def test_a115_the_doctor_names_a_seller_that_is_paid_where_a_new_pay_to_is(operator: Operator) -> None:
    """A deploy with another PayTo asks no seller."""
    stack = read_stack(operator.aws.cloudformation, operator.stack)
    operator.sellers.add(Seller("tea-shop", (stack.facts.pay_to,), (), 1, ()))
    report = Report()
    doctor_stack.check_sellers(stack, None, operator.aws, report)
    (finding,) = report.to_mend
    assert f"{stack.facts.pay_to} is where routes of this stack and the seller tea-shop are paid" in finding.sentence


def test_one_token_is_allowed_once(operator: Operator) -> None:
    """Two limits for it would leave open which one holds."""
    _, err = operator.run("seller", "add", "tea-shop", *ADD, "--allow", "eip155:84532:USDC:1", code=1)
    assert "twice" in err


@pytest.mark.parametrize("count", ["0", "-1", "1e3", "many", "1000000000"])
def test_a_daily_count_is_a_whole_number(operator: Operator, count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage: exit code 2."""
    with pytest.raises(SystemExit) as left:
        operator.run("seller", "add", "a", *ADD[:-1], count)
    assert left.value.code == 2
    assert "settlements-per-day" in capsys.readouterr().err


def test_an_older_stack_is_told_to_be_deployed_anew(operator: Operator) -> None:
    """It has no table of sellers yet."""
    name = f"{operator.stack}-old"
    outputs = {key: value for key, value in OUTPUTS.items() if key != "SellersTableName"}
    create_stack(operator.aws.cloudformation, name, PARAMETERS, outputs)
    _, err = operator.run_anywhere("seller", "list", "--stack", name, code=1)
    assert "no SellersTableName" in err
