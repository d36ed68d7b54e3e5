"""The events of payments: what each says, that it is the documented schema, and that nothing secret is in it."""

import json
import random
import re
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.fakes.dynamo import FakeDynamo
from tests.support.fakes.effects import Effects
from tests.support.payments import NOW
from tests.support.streams import Shop, Stream
from tests.template.cfn import ROOT
from tollgate.edge.stream_records import Change, read_changes
from tollgate.ledger.dynamo import Table
from tollgate.payment.notices import TYPES, Notice, notices
from tollgate.payment.record import Move
from tollgate.payment.tally import History

SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text())
ADDRESS = "0x" + "aa" * 20


def day_of(seed: int) -> tuple[list[Change], FakeDynamo]:
    """What a random day's stream says of its payments, and the tables."""
    dynamo = FakeDynamo(Effects({}, lambda: 0.0))
    stream = Stream(dynamo, dynamo.create("payments"))
    client: Any = dynamo
    shop = Shop(Table(client, "payments"), random.Random(seed).randrange)
    for _ in range(12):
        shop.sell(12)
    changes, unreadable = read_changes({"Records": stream.records})
    assert unreadable is None
    return list(changes), dynamo


def told(changes: list[Change]) -> list[Notice]:
    return [notice for change in changes for notice in notices(change.history, change.before)]


def test_every_event_is_the_documented_one() -> None:
    """Each type comes, each is valid, and the page names all of them."""
    validator = Draft202012Validator(SCHEMA)
    found = [notice for seed in range(6) for notice in told(day_of(seed)[0])]
    for notice in found:
        problems = [problem.message for problem in validator.iter_errors(notice.detail)]
        assert not problems, (notice, problems)
        assert (notice.detail["id"], notice.detail["type"]) == (notice.id, notice.type)
    assert {notice.type for notice in found} == set(TYPES) == {name for name in SCHEMA["$defs"] if "." in name}
    page = (ROOT / "docs" / "events.md").read_text()
    assert set(re.findall(r"^\| `(payment\.[a-z_]+)` \|", page, re.MULTILINE)) == set(TYPES)


def test_a98_each_move_is_told_once_by_the_record_that_brought_it() -> None:
    """Over all records of a day no id comes twice, and none is missing."""
    changes, _ = day_of(1)
    ids = [notice.id for notice in told(changes)]
    assert len(set(ids)) == len(ids)
    newest = {change.history.payment: change.history for change in changes}
    assert sorted(ids) == sorted(notice.id for history in newest.values() for notice in notices(history, 0))


def test_a98_the_same_move_has_the_same_id_and_another_has_another() -> None:
    """Settled, reversed, settled again: three events; read again, the same three."""
    moves = (Move("EXECUTING", NOW), Move("SETTLED", NOW, "0x1"), Move("REVERSED", NOW, "0x1"), Move("SETTLING", NOW))
    history = History("a" * 64, "map", "", "eip155:1", ADDRESS, 7, (*moves, Move("SETTLED", NOW, "0x2")))
    first = list(notices(history, 0))
    assert first == list(notices(history, 0))
    assert [notice.type for notice in first] == [
        "payment.verified", "payment.settled", "payment.reversed", "payment.settled",
    ]  # fmt: skip
    assert len({notice.id for notice in first}) == 4
    assert [notice.type for notice in notices(history, 3)] == ["payment.settled"]


def test_a104_nothing_secret_is_in_an_event() -> None:
    """The signature and who asked stand in the item beside what is told."""
    changes, dynamo = day_of(2)
    item = next(
        item for key, item in dynamo.tables["payments"].items() if key.startswith("PAY#") and "signature" in item
    )
    text = json.dumps([dict(notice.detail) for notice in told(changes)])
    for name in ("source", "fingerprint", "resource_url"):
        assert item[name]["S"] not in text
    assert "AQEBAQ" not in text
    assert "01" * 16 not in text
