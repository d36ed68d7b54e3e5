"""``tollgate routes history``, and an apply beside what owners registered themselves."""

import json
from dataclasses import replace

import pytest

from tests.contract.cli.shell import NOW, Operator
from tollgate.ledger.dynamo import Put, TransactionCancelled
from tollgate.payment.revisions import RouteChange
from tollgate.payment.routes import Route
from tollgate.wire.primitives import Address

FILE = """\
version: 1
routes:
  - method: GET
    path: /weather/{city}
    price: "$0.01"
    upstream:
      url: https://api.example.com/v1/{city}
"""
OWNER = Address(b"\xaa" * 20)


def registered(operator: Operator) -> Route:
    """A route that an owner put beside those of the file."""
    snapshot = operator.routes.load()
    theirs = replace(snapshot.routes[0], id="tea", pattern="/acme/tea", owner=OWNER, revision=snapshot.version + 1)
    change = RouteChange("add", "tea", "GET /acme/tea", OWNER, (("price", "", "$0.01 USDC"),))
    operator.routes.replace([*snapshot.routes, theirs], snapshot.version, NOW, str(OWNER), (change,))
    return theirs


def test_history_says_who_changed_what_and_when(operator: Operator) -> None:
    """The newest first; an owner by address, each field with before and after."""
    operator.apply(FILE)
    registered(operator)
    operator.apply(FILE.replace("$0.01", "$0.02"))
    out, _ = operator.run("routes", "history")
    heads = [line for line in out.splitlines() if line.startswith("version")]
    assert heads == [
        "version 3, 2027-01-15 08:00:00 UTC, by operator",
        f"version 2, 2027-01-15 08:00:00 UTC, by {OWNER}",
        "version 1, 2027-01-15 08:00:00 UTC, by operator",
    ]
    assert "    ~ GET /weather/{city}\n        price on base-sepolia: $0.01 USDC -> $0.02 USDC\n" in out
    assert "    + GET /acme/tea\n        price: $0.01 USDC\n" in out
    document = json.loads(operator.run("routes", "history", "--before", "3", "--limit", "1", "--json")[0])
    (revision,) = document["revisions"]
    assert (revision["version"], revision["actor"], revision["at"]) == (2, str(OWNER), NOW)
    assert revision["changes"][0]["owner"] == str(OWNER)


def test_history_says_where_its_record_begins(operator: Operator) -> None:
    """A stack whose first versions are older than the record."""
    assert "nothing was ever applied" in operator.run("routes", "history")[0]
    item = {"pk": "CATALOGUE", "version": 4, "routes": '{"format":1,"routes":[]}', "applied_at": NOW}
    operator.routes._table.write(Put(item))
    operator.apply(FILE)
    out, _ = operator.run("routes", "history")
    assert out.splitlines()[0].startswith("version 5")
    assert out.splitlines()[-1] == "before that no record was kept"


def test_an_apply_leaves_what_owners_registered(operator: Operator) -> None:
    """It is in no file, and is neither removed nor changed by one."""
    operator.apply(FILE)
    theirs = registered(operator)
    out, _ = operator.apply(FILE.replace("$0.01", "$0.02"))
    assert "/acme/tea" not in out
    assert [route for route in operator.routes.load().routes if route.revision] == [theirs]


@pytest.mark.parametrize("line", ["path: /acme/tea", "path: /other\n    id: tea"])
def test_an_apply_in_the_place_of_an_owners_route_writes_nothing(operator: Operator, line: str) -> None:
    """Nobody's change is undone without being told: the file is refused, with the owner's name."""
    operator.apply(FILE)
    registered(operator)
    before = operator.routes.load()
    _, err = operator.apply(FILE.replace("path: /weather/{city}", line).replace("{city}", ""), code=1)
    assert f"its owner {OWNER} registered" in err
    assert operator.routes.load() == before


def test_a_version_and_its_record_are_written_together_or_not_at_all(operator: Operator) -> None:
    """A lost race leaves no record of what was not done."""
    operator.apply(FILE)
    change = RouteChange("remove", "x", "GET /x", None, ())
    with pytest.raises(TransactionCancelled):
        operator.routes.replace([], 0, NOW, "late", (change,))
    with pytest.raises(TransactionCancelled):
        operator.routes.replace([], 1, NOW, "late", (change,), [Put({"pk": "CHANGE#1"})])
    assert [revision.actor for revision in operator.routes.revisions(range(5))] == ["operator"]
    assert len(operator.routes.load().routes) == 1
