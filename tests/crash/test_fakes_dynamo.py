"""The fake DynamoDB client answers as a DynamoDB server does: the same cases against both."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.aws import client, create_table
from tests.support.fakes.dynamo import FakeDynamo
from tests.support.fakes.effects import Effects

Typed = dict[str, Any]


def s(text: str) -> Typed:
    return {"S": text}


def n(number: int) -> Typed:
    return {"N": str(number)}


class Server:
    """A client and a table with the index ``work``."""

    def __init__(self, dynamo: Any, table: str) -> None:
        self.dynamo = dynamo
        self.table = table

    def put(self, pk: str, **attributes: Typed) -> None:
        self.dynamo.put_item(TableName=self.table, Item={"pk": s(pk), **attributes})

    def get(self, pk: str) -> Typed | None:
        item: Typed | None = self.dynamo.get_item(TableName=self.table, Key={"pk": s(pk)}, ConsistentRead=True).get(
            "Item"
        )
        return item

    def update(self, pk: str, expression: str, condition: str = "", names: Any = None, **values: Typed) -> Typed:
        request: dict[str, Any] = {
            "TableName": self.table,
            "Key": {"pk": s(pk)},
            "UpdateExpression": expression,
            "ReturnValues": "ALL_NEW",
        }
        if condition:
            request["ConditionExpression"] = condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if names:
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
        attributes: Typed = self.dynamo.update_item(**request)["Attributes"]
        return attributes

    def holds(self, pk: str, condition: str, **values: Typed) -> bool:
        """Whether a condition holds, asked by a write that changes nothing else."""
        try:
            self.update(pk, "SET asked = :one", condition, one=n(1), **values)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            return False
        return True


@pytest.fixture(params=["fake", "server"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both, one after the other."""
    if request.param == "fake":
        fake = FakeDynamo(Effects({}, lambda: 0.0))
        return Server(fake, fake.create("t"))
    dynamo = client("dynamodb", request.getfixturevalue("aws_endpoint"))
    return Server(dynamo, create_table(dynamo, work_index=True))


def failed(call: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call()
    response: dict[str, Any] = caught.value.response
    return response


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("attribute_exists(pk)", {}, True),
        ("attribute_not_exists(pk)", {}, False),
        ("attribute_exists(absent)", {}, False),
        ("attribute_not_exists(absent)", {}, True),
        ("amount = :v", {"v": n(9)}, True),
        ("amount = :v", {"v": s("9")}, False),
        ("amount <> :v", {"v": n(9)}, False),
        ("amount < :v", {"v": n(10)}, True),
        ("amount < :v", {"v": n(9)}, False),
        ("amount <= :v", {"v": n(9)}, True),
        ("amount > :v", {"v": n(8)}, True),
        ("amount > :v", {"v": n(9)}, False),
        ("amount >= :v", {"v": n(9)}, True),
        ("amount >= :v", {"v": n(10)}, False),
        ("absent < :v", {"v": n(10)}, False),
        ("absent > :v", {"v": n(10)}, False),
        ("absent = :v", {"v": n(10)}, False),
        ("word = :v", {"v": s("open")}, True),
        ("word < :v", {"v": s("p")}, True),
        ("bytes_ = :v", {"v": {"B": b"\x01\x02"}}, True),
        ("flag = :v", {"v": {"BOOL": True}}, True),
        ("flag = :v", {"v": {"BOOL": False}}, False),
        ("contains(word, :v)", {"v": s("pe")}, True),
        ("contains(word, :v)", {"v": s("x")}, False),
        ("contains(listed, :v)", {"v": s("a")}, True),
        ("contains(listed, :v)", {"v": s("z")}, False),
        ("begins_with(word, :v)", {"v": s("op")}, True),
        ("amount BETWEEN :v AND :w", {"v": n(9), "w": n(10)}, True),
        ("amount BETWEEN :v AND :w", {"v": n(10), "w": n(11)}, False),
        ("word IN (:v, :w)", {"v": s("shut"), "w": s("open")}, True),
        ("size(word) = :v", {"v": n(4)}, True),
        ("NOT amount = :v", {"v": n(9)}, False),
        ("NOT amount = :v AND word = :w", {"v": n(9), "w": s("open")}, False),
        ("NOT (amount = :v AND word = :w)", {"v": n(9), "w": s("shut")}, True),
        ("amount = :w OR amount = :v AND word = :x", {"v": n(1), "w": n(9), "x": s("shut")}, True),
        ("(amount = :w OR amount = :v) AND word = :x", {"v": n(1), "w": n(9), "x": s("shut")}, False),
        ("attribute_not_exists(absent) OR absent < :v", {"v": n(1)}, True),
    ],
)
def test_conditions(server: Server, condition: str, values: dict[str, Typed], expected: bool) -> None:
    """Every form of condition, on an item with one attribute of each kind."""
    server.put(
        "one",
        amount=n(9),
        word=s("open"),
        bytes_={"B": b"\x01\x02"},
        flag={"BOOL": True},
        listed={"L": [s("a"), s("b")]},
    )
    assert server.holds("one", condition, **values) is expected


def test_a_number_is_compared_as_a_number(server: Server) -> None:
    """Not as text, in which 9 comes after 10; and beyond 64 bits."""
    server.put("one", amount=n(10))
    assert server.holds("one", "amount > :v", v=n(9))
    server.put("big", amount=n(2**64 + 1))
    assert server.holds("big", "amount > :v", v=n(2**64))


def test_updates(server: Server) -> None:
    """Every form of update that the ledgers use, in one: each sees the item as it was."""
    server.put("one", count=n(3), gone=s("x"), moves={"L": [s("a")]}, third=n(1))
    after = server.update(
        "one",
        "SET #c = #c + :one, kept = if_not_exists(kept, :seven), third = if_not_exists(third, :seven), "
        "#m = list_append(if_not_exists(#m, :none), :moved), copied = #c REMOVE gone ADD added :two",
        names={"#c": "count", "#m": "moves"},
        one=n(1),
        two=n(2),
        seven=n(7),
        none={"L": []},
        moved={"L": [s("b")]},
    )
    assert after == server.get("one") == {
        "pk": s("one"),
        "count": n(4),
        "kept": n(7),
        "third": n(1),
        "moves": {"L": [s("a"), s("b")]},
        "copied": n(3),
        "added": n(2),
    }  # fmt: skip


def test_an_update_makes_the_item(server: Server) -> None:
    """As ADD on a counter relies on; with a minus it goes below zero."""
    assert server.update("new", "ADD amount :v, payments :one", v=n(5), one=n(1)) == {
        "pk": s("new"),
        "amount": n(5),
        "payments": n(1),
    }
    assert server.update("new", "SET amount = amount - :v", v=n(7))["amount"] == n(-2)


def test_a_failed_condition_shows_what_stands_there(server: Server) -> None:
    """``ALL_OLD``: the look-up is the failure's answer (threat 41). Nothing was there: no item."""
    server.put("one", state=s("EXECUTING"))
    response = failed(lambda: server.update("one", "SET word = :v", "#s = :v", {"#s": "state"}, v=s("SETTLING")))
    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Item"] == {"pk": s("one"), "state": s("EXECUTING")}
    response = failed(lambda: server.update("none", "SET word = :v", "attribute_exists(pk)", v=s("x")))
    assert "Item" not in response
    response = failed(
        lambda: server.dynamo.put_item(
            TableName=server.table,
            Item={"pk": s("one")},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    )
    assert response["Item"]["state"] == s("EXECUTING")
    response = failed(
        lambda: server.dynamo.delete_item(
            TableName=server.table,
            Key={"pk": s("one")},
            ConditionExpression="attribute_not_exists(pk)",
        )
    )
    assert "Item" not in response
    assert server.get("none") is None


def test_a_transaction_is_all_or_nothing_and_says_why(server: Server) -> None:
    """One reason for each item, in order; the item only where it was asked for."""
    server.put("counter", next=n(4))
    writes: list[dict[str, Any]] = [
        {"Put": {"TableName": server.table, "Item": {"pk": s("new"), "a": n(1)}}},
        {
            "Update": {
                "TableName": server.table,
                "Key": {"pk": s("counter")},
                "UpdateExpression": "SET #n = :after",
                "ConditionExpression": "#n = :stored",
                "ExpressionAttributeNames": {"#n": "next"},
                "ExpressionAttributeValues": {":after": n(6), ":stored": n(5)},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {
            "ConditionCheck": {
                "TableName": server.table,
                "Key": {"pk": s("counter")},
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
    ]
    del writes[2]
    response = failed(lambda: server.dynamo.transact_write_items(TransactItems=writes))
    assert response["Error"]["Code"] == "TransactionCanceledException"
    codes = [reason["Code"] for reason in response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert response["CancellationReasons"][1]["Item"] == {"pk": s("counter"), "next": n(4)}
    assert server.get("new") is None
    writes[1]["Update"]["ExpressionAttributeValues"][":stored"] = n(4)
    server.dynamo.transact_write_items(TransactItems=writes)
    assert server.get("new") is not None
    assert server.get("counter") == {"pk": s("counter"), "next": n(6)}


def test_a_condition_check_changes_nothing_and_can_cancel(server: Server) -> None:
    """The fourth kind of a transaction's items."""
    server.put("gate", open=n(1))

    def through(wanted: int) -> None:
        server.dynamo.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": server.table, "Item": {"pk": s("inside")}}},
                {
                    "ConditionCheck": {
                        "TableName": server.table,
                        "Key": {"pk": s("gate")},
                        "ConditionExpression": "#o = :wanted",
                        "ExpressionAttributeNames": {"#o": "open"},
                        "ExpressionAttributeValues": {":wanted": n(wanted)},
                    }
                },
                {
                    "Delete": {
                        "TableName": server.table,
                        "Key": {"pk": s("nothing")},
                        "ConditionExpression": "attribute_not_exists(pk)",
                    }
                },
            ]
        )

    response = failed(lambda: through(2))
    assert [r["Code"] for r in response["CancellationReasons"]] == ["None", "ConditionalCheckFailed", "None"]
    assert server.get("inside") is None
    through(1)
    assert server.get("inside") == {"pk": s("inside")}
    assert server.get("gate") == {"pk": s("gate"), "open": n(1)}


def test_an_absent_condition_on_an_absent_attribute_of_nothing(server: Server) -> None:
    """A condition over an item that is not there sees no attribute at all."""
    assert not server.holds("absent", "amount < :v", v=n(1))
    assert server.holds("absent", "attribute_not_exists(amount) OR amount < :v", v=n(1))


def test_batches_give_what_is_there(server: Server) -> None:
    """Absent keys are left out."""
    server.put("one", a=n(1))
    server.put("two", a=n(2))
    reply = server.dynamo.batch_get_item(
        RequestItems={server.table: {"Keys": [{"pk": s(k)} for k in ("two", "none", "one")], "ConsistentRead": True}}
    )
    assert sorted(item["pk"]["S"] for item in reply["Responses"][server.table]) == ["one", "two"]
    assert not reply["UnprocessedKeys"]


def test_the_work_index_is_sparse_sorted_and_paged(server: Server) -> None:
    """Only items with both keys are in it; ``due`` is in order; a page says where the next begins."""
    for pk, due in (("c", 30), ("a", 10), ("b", 20), ("late", 99)):
        server.put(pk, work=s("w1"), due=n(due), more=s("x"))
    server.put("other", work=s("w2"), due=n(1))
    server.put("off the list", work=s("w1"))

    def page(limit: int, **more: Any) -> dict[str, Any]:
        reply: dict[str, Any] = server.dynamo.query(
            TableName=server.table,
            IndexName="work",
            KeyConditionExpression="#work = :work AND #due <= :due",
            ExpressionAttributeNames={"#work": "work", "#due": "due"},
            ExpressionAttributeValues={":work": s("w1"), ":due": n(30)},
            Limit=limit,
            **more,
        )
        return reply

    first = page(2)
    assert [item["pk"]["S"] for item in first["Items"]] == ["a", "b"]
    assert set(first["Items"][0]) == {"pk", "work", "due"}
    second = page(2, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [item["pk"]["S"] for item in second["Items"]] == ["c"]
    assert "LastEvaluatedKey" not in second


def test_an_item_over_400_kb_is_refused(server: Server) -> None:
    """As the answers' 64 kB rule takes for granted (threat 81)."""
    response = failed(lambda: server.put("big", body={"B": b"x" * 410 * 1024}))
    assert response["Error"]["Code"] == "ValidationException"
    assert server.get("big") is None
