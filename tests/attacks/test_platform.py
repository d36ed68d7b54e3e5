"""Threats 106-111: the platform under it: throttles, stale reads, reused processes, dependencies."""

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import Functions
from tests.support.payments import ANSWER, NOW, some_claim, some_proof
from tests.support.upstream import CountingUpstream
from tests.support.world import World
from tests.template.cfn import load, of_type
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import LedgerUnavailable, Put, Table, TransactionCancelled
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.states import State

_VERSION = r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([0-9][^\s;]*)"
_HASH = r".*\\\n    --hash=sha256:[0-9a-f]{64}"
ROOT = Path(__file__).parents[2]
IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


class Moody:
    """A DynamoDB client that fails in these ways first, before (or after) it does what it is asked."""

    def __init__(self, inner: Any, *errors: ClientError, applied: bool = False) -> None:
        self._inner = inner
        self._errors = list(errors)
        self._applied = applied
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        passed = getattr(self._inner, name)

        def call(**request: Any) -> Any:
            self.calls += 1
            if not self._errors:
                return passed(**request)
            if self._applied:
                passed(**request)
            raise self._errors.pop(0)

        return call


def failed(code: str) -> ClientError:
    """A plain error."""
    return ClientError({"Error": {"Code": code, "Message": ""}}, "any")


def cancelled(*reasons: str) -> ClientError:
    """A cancelled transaction, with a reason for each write."""
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "TransactWriteItems")


RETRIED = [
    failed("ThrottlingException"),
    failed("ProvisionedThroughputExceededException"),
    failed("RequestLimitExceeded"),
    failed("TransactionInProgressException"),
    failed("TransactionConflictException"),
    failed("InternalServerError"),
    cancelled("TransactionConflict", "None", "None", "None"),
    cancelled("None", "ThrottlingError", "None", "ProvisionedThroughputExceeded"),
]


@pytest.mark.parametrize("error", RETRIED, ids=lambda error: error.response["Error"]["Code"])
@pytest.mark.parametrize("applied", [False, True])
def test_a106_throttled_or_in_conflict_is_tried_again_and_counted_once(
    payments_table: Table, error: ClientError, applied: bool
) -> None:
    """Also when DynamoDB had done it and said otherwise: booking goes by what stands there."""
    held = _held(payments_table)
    moody = Moody(payments_table._client, error, applied=applied)
    slept: list[float] = []
    books = Books(Table(moody, payments_table._name, sleep=slept.append))
    settled = books.book(held, some_proof(), True, NOW, NOW + 60)
    assert settled.state is State.SETTLED
    assert moody.calls >= 2
    assert len(slept) == 1
    rows = payments_table._client.scan(TableName=payments_table._name, ConsistentRead=True)["Items"]
    assert [row["payments"]["N"] for row in rows if row["pk"]["S"].startswith("REV#")] == ["1"]


def test_a106_a_failed_condition_is_told_apart_from_a_conflict(payments_table: Table) -> None:
    """Mixed with conflicts too: it decides, and is not tried again."""
    moody = Moody(payments_table._client, cancelled("TransactionConflict", "ConditionalCheckFailed"))
    table = Table(moody, payments_table._name, sleep=lambda _: None)
    with pytest.raises(TransactionCancelled) as caught:
        table.transact([Put({"pk": "a"}), Put({"pk": "b"})])
    assert set(caught.value.failed) == {1}
    assert moody.calls == 1


@pytest.mark.parametrize("error", [failed("ValidationException"), cancelled("ValidationError", "None")])
def test_a106_what_will_never_work_is_not_tried_again(payments_table: Table, error: ClientError) -> None:
    """A bug of ours is loud at once."""
    moody = Moody(payments_table._client, error)
    with pytest.raises(ClientError):
        Table(moody, payments_table._name, sleep=lambda _: None).transact([Put({"pk": "a"})])
    assert moody.calls == 1


def test_a106_throttling_without_an_end_is_unknown(payments_table: Table) -> None:
    """Not a refusal: whether the last write happened is not known."""
    moody = Moody(payments_table._client, *[failed("ThrottlingException")] * 100)
    with pytest.raises(LedgerUnavailable):
        Table(moody, payments_table._name, sleep=lambda _: None).get("PAY#x")
    assert moody.calls < 100


def _held(table: Table) -> Any:
    ledger = PaymentsLedger(table)
    return ledger.hold(ledger.claim(some_claim()), ANSWER, NOW)


def test_a107_every_read_that_decides_is_consistent(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paid call, its resend, a refusal and a pass of reconcile: GetItem and BatchGetItem ask for it, Query cannot."""
    from tests.support import loaded  # noqa: PLC0415

    asked: list[tuple[str, Any]] = []
    needs = loaded.needs

    def noting(service: str, operation: str, parameters: dict[str, Any]) -> Any:
        if service == "dynamodb":
            asked.append((operation, parameters))
        return needs(service, operation, parameters)

    monkeypatch.setattr(loaded, "needs", noting)
    upstream = CountingUpstream()
    try:
        functions.sell("GET", "/goods", upstream.url + "/goods")
        payment = functions.sign(functions.buyer(), functions.offer("GET", "/goods"), identifier=IDENTIFIER)
        for _ in range(2):
            assert functions.request("GET", "/goods", payment=payment).status == 200
        functions.advance(2000)
        functions.invoke("reconcile", {})
        assert functions.request("GET", "/goods", payment=payment).status == 200
    finally:
        upstream.stop()
    operations = {operation for operation, _ in asked}
    assert {"BatchGetItem", "GetItem", "Query"} <= operations
    for operation, parameters in asked:
        if operation == "GetItem":
            assert parameters["ConsistentRead"] is True
        elif operation == "BatchGetItem":
            assert all(table["ConsistentRead"] is True for table in parameters["RequestItems"].values())
        elif operation == "Query":
            assert parameters.get("IndexName"), "a table is never queried for what decides"
    assert "Scan" not in operations


def test_a107_a_work_list_that_lags_is_read_again_before_anything_is_done(world: World) -> None:
    """It still names a payment that was settled long ago, and one that never was: nothing happens twice."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment).status == 200
    found = world.payment(payment)
    assert found is not None
    stale = [(f"PAY#{found.id.digest}", 0), (f"PAY#{'0' * 64}", 0)]
    world.table.query_due = lambda *_: (stale, None)  # type: ignore[method-assign]
    calls = world.settler.calls
    world.reconcile()
    world.reconcile()
    after = world.payment(payment)
    assert after is not None
    assert (after.state, after.transaction, after.fence) == (found.state, found.transaction, found.fence)
    assert (world.settler.calls, world.sent(), world.revenue()[1]) == (calls, 1, 1)


def test_a108_two_calls_of_a_warm_process_share_nothing(functions: Functions) -> None:
    """Neither tokens nor headers nor an answer: owners and relayer nonces are new, the body is each call's own."""
    upstream = CountingUpstream()
    upstream.behave(lambda handler: handler.answer(200, handler.path.encode(), {"X-Echo": handler.path}))
    try:
        functions.sell("GET", "/goods/{id}", upstream.url + "/goods/{id}")
        receipts = []
        for name in ("one", "two"):
            buyer = functions.buyer()
            payment = functions.sign(buyer, functions.offer("GET", f"/goods/{name}"))
            answer = functions.request("GET", f"/goods/{name}", payment=payment, headers={"x-mine": name})
            assert (answer.status, answer.body) == (200, f"/goods/{name}".encode())
            assert answer.headers["x-echo"] == f"/goods/{name}"
            receipts.append(answer.headers["payment-response"])
        plain = functions.request("GET", "/goods/three")
    finally:
        upstream.stop()
    assert plain.status == 402
    assert "x-echo" not in plain.headers
    assert receipts[0] != receipts[1]
    assert [call[2].get("X-Mine", call[2].get("x-mine")) for call in upstream.seen] == ["one", "two"]
    scan = functions.client("dynamodb").scan(TableName=functions.resource("PaymentsTable"), ConsistentRead=True)
    owners = [item["owner"]["S"] for item in scan["Items"] if item["pk"]["S"].startswith("PAY#")]
    assert len(set(owners)) == len(owners) == 2


def test_a108_no_function_starts_from_a_snapshot() -> None:
    """A snapshot would hand the same randomness and the same connections to many processes."""
    functions = of_type(load(), "AWS::Serverless::Function")
    assert len(functions) >= 6
    assert all("SnapStart" not in function["Properties"] for function in functions.values())
    assert "SnapStart" not in load().get("Globals", {}).get("Function", {})


def test_a111_what_is_installed_is_pinned() -> None:
    """The official SDK's holes before 2.3.0 are not among it, and the layer does not even hold the SDK.

    The layer's are pinned by version alone: which of their wheels fit is for ``sam build`` to choose.
    """
    layer = (ROOT / "layers/tollgate/requirements.txt").read_text()
    assert "x402" not in _pinned(layer, _VERSION)
    for path in ("requirements/dev.txt", "requirements/ministack.txt"):
        pinned = _pinned((ROOT / path).read_text(), _VERSION + _HASH)
        if path == "requirements/dev.txt":
            assert tuple(int(part) for part in pinned["x402"].split(".")[:2]) >= (2, 3)


def _pinned(text: str, form: str) -> dict[str, str]:
    """The versions of a lock file, every entry of which has this form."""
    named = re.findall(r"^[A-Za-z0-9].*", text, re.MULTILINE)
    pinned = re.findall(form, text, re.MULTILINE)
    assert len(pinned) == len(named) > 0
    return dict(pinned)
