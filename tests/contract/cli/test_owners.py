"""``tollgate owner``: whom an operator lets register routes, and on which terms."""

import json
from dataclasses import replace

import pytest

from tests.contract.cli.shell import NOW, Operator
from tests.contract.cli.test_sellers import ADD
from tollgate.ledger.dynamo import Put
from tollgate.ledger.owners import OwnersTable, put
from tollgate.ledger.payment_items import fee_keys
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.computed_price import ComputedPrice
from tollgate.payment.owners import Owner
from tollgate.payment.routes import FunctionTarget, Route
from tollgate.wire.primitives import Address

OWNER, OTHER = "0x" + "aa" * 20, "0x" + "bb" * 20
FILE = """\
version: 1
routes:
  - method: GET
    path: /weather
    price: "$0.01"
    upstream:
      url: https://api.example.com/v1
"""


def owners(operator: Operator) -> OwnersTable:
    """The table that the command writes."""
    return OwnersTable(operator.aws.dynamodb, operator.routes._table._name)


def registered(operator: Operator, id: str = "tea", pattern: str = "/acme/tea") -> Route:
    """A route that OWNER registered."""
    snapshot = operator.routes.load()
    owner = Address.parse(OWNER)
    first = snapshot.routes[0]
    paid = tuple(replace(terms, pay_to=owner) for terms in first.accepts)
    theirs = replace(first, id=id, pattern=pattern, accepts=paid, owner=owner, revision=snapshot.version + 1)
    operator.routes.replace([*snapshot.routes, theirs], snapshot.version, NOW)
    return theirs


def test_an_owner_is_let_in_listed_and_taken_away(operator: Operator) -> None:
    """Terms as they were typed; the wallet itself is paid unless another is named."""
    assert "only you have routes" in operator.run("owner", "list")[0]
    operator.run("owner", "set", OWNER, "--path", "/acme", "--fee-bps", "250", "--max-routes", "3")
    row = owners(operator).find(Address.parse(OWNER))
    assert row is not None
    address = Address.parse(OWNER)
    assert row.owner == Owner(address, "/acme", (address,), 250, 3)
    out, _ = operator.run("owner", "list")
    assert "below /acme, 0 of at most 3 routes, each at $0.001 or more, owes you 2.5 % of each payment" in out
    (document,) = json.loads(operator.run("owner", "list", "--json")[0])["owners"]
    assert (document["owner"], document["payTo"]) == (str(address), [str(address)])
    operator.run("owner", "remove", OWNER)
    assert owners(operator).find(address) is None
    assert "is no owner" in operator.run("owner", "remove", OWNER, code=1)[1]


def test_a_removed_owners_routes_go_with_it_and_on_record(operator: Operator) -> None:
    """In one transaction: nothing of it is sold any more, and what the file declares stays."""
    operator.apply(FILE)
    operator.run("owner", "set", OWNER, "--path", "/acme")
    registered(operator)
    out, _ = operator.run("owner", "remove", OWNER)
    assert "- GET /acme/tea (tea)" in out
    assert [route.pattern for route in operator.routes.load().routes] == ["/weather"]
    assert operator.run("routes", "history")[0].splitlines()[1] == "    - GET /acme/tea"


def test_a_new_fee_holds_for_the_routes_that_there_are(operator: Operator) -> None:
    """It is what a payment is claimed with, so it stands with the route."""
    operator.apply(FILE)
    operator.run("owner", "set", OWNER, "--path", "/acme")
    theirs = registered(operator)
    operator.run("owner", "set", OWNER, "--path", "/acme", "--fee-bps", "100")
    (changed,) = (route for route in operator.routes.load().routes if route.revision)
    assert (changed.fee_bps, changed.revision) == (100, theirs.revision)
    assert "    fee: none -> 100 basis points" in operator.run("routes", "history")[0]


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ((OTHER, "--path", "/ACME/x"), "has /acme already"),
        ((OTHER, "--path", "/x402"), "Tollgate's own"),
        ((OTHER, "--path", "/discovery/x"), "Tollgate's own"),
        ((OTHER, "--path", "/a/{b}"), "plain segments"),
        ((OTHER, "--path", "/b/"), "plain segments"),
        ((OTHER, "--path", "/b", "--pay-to", OWNER), "where the owner"),
        ((OTHER, "--path", "/b", "--pay-to", "0x" + "5e" * 20), "where this stack"),
        ((OTHER, "--path", "/b", "--pay-to", "0x036CbD53842c5426634e7929541eC2318f3dCF7e"), "is the token USDC itself"),
        ((OTHER, "--path", "/b", "--min-price", "0.01"), "--min-price"),
        ((OTHER, "--path", "/b", "--function", "report"), "UpstreamFunctionArns"),
        (("0x" + "0" * 40, "--path", "/b"), "zero address"),
        (("0x12", "--path", "/b"), "40 hex digits"),
    ],
)
def test_terms_that_would_touch_anothers_are_refused(operator: Operator, argv: tuple[str, ...], why: str) -> None:
    """Before anything is written."""
    operator.run("owner", "set", OWNER, "--path", "/acme")
    _, err = operator.run("owner", "set", *argv, code=1)
    assert why in err
    assert [row.owner.path for row in owners(operator).all()] == ["/acme"]


@pytest.mark.parametrize(
    "terms", [("--path", "/other"), ("--path", "/acme", "--pay-to", OTHER), ("--path", "/acme", "--min-price", "$1")]
)
def test_terms_that_its_routes_do_not_meet_are_refused(operator: Operator, terms: tuple[str, ...]) -> None:
    """Nothing is sold on terms that were taken away."""
    operator.apply(FILE)
    operator.run("owner", "set", OWNER, "--path", "/acme")
    registered(operator)
    _, err = operator.run("owner", "set", OWNER, *terms, code=1)
    assert "its route tea" in err


@pytest.mark.parametrize("use", ["upstream", "price"])
def test_a_function_that_its_routes_run_is_not_taken_away_beneath_them(operator: Operator, use: str) -> None:
    """``owner set`` says all terms at once: one without the function would leave it for sale."""
    operator.apply(FILE)
    operator.run("owner", "set", OWNER, "--path", "/acme")
    theirs, arn = registered(operator), "arn:aws:lambda:us-east-1:123456789012:function:tea"
    if use == "upstream":
        runs = replace(theirs, upstream=FunctionTarget(arn, 5.0))
    else:
        runs = replace(theirs, accepts=(), computed=ComputedPrice(arn, theirs.accepts, theirs.accepts))
    snapshot = operator.routes.load()
    operator.routes.replace([runs if route == theirs else route for route in snapshot.routes], snapshot.version, NOW)
    _, err = operator.run("owner", "set", OWNER, "--path", "/acme", code=1)
    assert f"--function: its route tea needs {arn}" in err


def test_an_owner_and_a_seller_elsewhere_are_not_paid_at_one_address(operator: Operator) -> None:
    """Whichever comes first: one payment would buy from both (threats 113, 115)."""
    seller = ADD[1]
    operator.run("owner", "set", seller, "--path", "/acme")
    assert "another address" in operator.run("seller", "add", "tea-shop", *ADD, code=1)[1]
    operator.run("owner", "remove", seller)
    operator.run("seller", "add", "tea-shop", *ADD)
    assert "the seller tea-shop" in operator.run("owner", "set", seller, "--path", "/acme", code=1)[1]


def test_fees_are_summed_by_owner_and_token(operator: Operator) -> None:
    """What the books say that it owes, over all shards."""
    operator.run("owner", "set", OWNER, "--path", "/acme", "--fee-bps", "250")
    keys = fee_keys("eip155:84532", "0x036cbd53842c5426634e7929541ec2318f3dcf7e", Address.parse(OWNER))
    for key, fee in ((keys[0], 250), (keys[31], 500)):
        operator.payments.write(Put({"pk": key, "amount": fee, "payments": 1}))
    assert "    fees so far: $0.00075 USDC on base-sepolia" in operator.run("owner", "list")[0]
    (document,) = json.loads(operator.run("owner", "list", "--json")[0])["owners"]
    assert [(fee["network"], fee["amount"], fee["payments"]) for fee in document["fees"]] == [
        ("eip155:84532", "750", 2)
    ]


def test_a_change_at_the_same_moment_is_not_written_over(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner's own change, between what was read and what is written."""
    operator.apply(FILE)
    operator.run("owner", "set", OWNER, "--path", "/acme")
    registered(operator)
    real, pending = RoutesTable.replace, [True]

    def meanwhile(self: RoutesTable, *args: object) -> int:
        if pending:
            pending.pop()
            registered(operator, "mint", "/acme/mint")
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(RoutesTable, "replace", meanwhile)
    _, err = operator.run("owner", "remove", OWNER, code=1)
    assert "nothing was written" in err
    assert len(operator.routes.load().routes) == 3
    row = owners(operator).find(Address.parse(OWNER))
    assert row is not None
    assert put(row.owner, row)
