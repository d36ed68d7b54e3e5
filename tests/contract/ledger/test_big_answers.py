"""Bodies above 64 kB against an S3 server over HTTP."""

import secrets
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.aws import client
from tests.support.payments import NOW, some_claim
from tollgate.errors import LostRace
from tollgate.ledger.answers import (
    INLINE_ANSWER_BYTES,
    AnswerLost,
    AnswersUnavailable,
    S3Bodies,
    describe,
    read_body,
)
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.record import Payment, StoredAnswer
from tollgate.payment.states import State

BODY = bytes(range(256)) * 4096  # 1 MiB
BIG = StoredAnswer(200, (("content-type", "image/png"),), BODY)
QUICK = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})


@pytest.fixture
def s3(aws_endpoint: str) -> Any:
    """A client of the local S3."""
    return client("s3", aws_endpoint)


@pytest.fixture
def bucket(s3: Any) -> str:
    """An empty bucket."""
    name = f"answers-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def bodies(s3: Any, bucket: str) -> S3Bodies:
    """The store over that bucket."""
    return S3Bodies(lambda: s3, bucket)


@pytest.fixture
def ledger(payments_table: Table, bodies: S3Bodies) -> PaymentsLedger:
    """The ledger over an empty table and that bucket."""
    return PaymentsLedger(payments_table, bodies)


def keys(s3: Any, bucket: str) -> list[str]:
    """What the bucket holds."""
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def held(ledger: PaymentsLedger) -> Payment:
    """A payment whose big answer is held."""
    payment = ledger.claim(some_claim())
    return ledger.hold(payment, ledger.keep(payment, BIG), NOW)


def test_a81_a_big_answer_comes_back_byte_for_byte(
    ledger: PaymentsLedger, payments_table: Table, s3: Any, bucket: str
) -> None:
    """The object is encrypted, its checksum is S3's business too, and the item holds no body."""
    payment = held(ledger)
    answer = ledger.answer(payment.id, NOW)
    assert answer is not None
    assert (answer.status, answer.headers, answer.body) == (200, BIG.headers, BODY)
    key = f"answers/{payment.id.digest}/1"
    assert keys(s3, bucket) == [key]
    assert s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "AES256"
    item = payments_table.get(f"ANS#{payment.id.digest}")
    assert item is not None
    assert (item["object"], item["size"]) == (key, len(BODY))
    assert "body" not in item


@pytest.mark.parametrize("extra", [0, 1])
def test_only_what_the_table_does_not_take_goes_to_s3(ledger: PaymentsLedger, s3: Any, bucket: str, extra: int) -> None:
    """64 KiB of status, headers and body stay in the table; one byte more does not."""
    empty = StoredAnswer(200, BIG.headers, b"")
    answer = StoredAnswer(200, BIG.headers, b"x" * (INLINE_ANSWER_BYTES - empty.size + extra))
    payment = ledger.claim(some_claim())
    ledger.hold(payment, ledger.keep(payment, answer), NOW)
    assert len(keys(s3, bucket)) == extra
    stored = ledger.answer(payment.id, NOW)
    assert stored is not None
    assert stored.body == answer.body


def test_a_small_answer_makes_no_client(payments_table: Table) -> None:
    """It is made when the first big answer needs it, once."""
    made: list[str] = []

    def make() -> Any:
        made.append("client")
        raise AssertionError("nothing big was kept")

    ledger = PaymentsLedger(payments_table, S3Bodies(make, "none"))
    payment = ledger.claim(some_claim())
    small = StoredAnswer(200, (), b"small")
    ledger.hold(payment, ledger.keep(payment, small), NOW)
    assert ledger.answer(payment.id, NOW) == small
    assert made == []


@pytest.mark.parametrize("change", [b"other", BODY[:-1], BODY + b"x", BODY[:-1] + b"?", b""])
def test_a81_an_altered_object_is_no_answer(ledger: PaymentsLedger, s3: Any, bucket: str, change: bytes) -> None:
    """Never another body than the one that was paid for."""
    payment = held(ledger)
    s3.put_object(Bucket=bucket, Key=f"answers/{payment.id.digest}/1", Body=change)
    with pytest.raises(AnswerLost) as lost:
        ledger.answer(payment.id, NOW)
    assert lost.value.why == "altered"


def test_a81_a_missing_object_is_lost_and_retention_still_ends(ledger: PaymentsLedger, s3: Any, bucket: str) -> None:
    """Lost while it should be there; past its retention nobody asks S3."""
    payment = held(ledger)
    s3.delete_object(Bucket=bucket, Key=f"answers/{payment.id.digest}/1")
    with pytest.raises(AnswerLost) as lost:
        ledger.answer(payment.id, NOW)
    assert lost.value.why == "missing"
    assert ledger.answer(payment.id, NOW + 86_400) is None


def test_a_store_that_does_not_answer_is_neither_lost_nor_empty(
    payments_table: Table, ledger: PaymentsLedger, s3: Any
) -> None:
    """Down, a bucket that is not there, none at all: unavailable, at put and at read."""
    payment = held(ledger)
    dead = client("s3", "http://127.0.0.1:9", QUICK)
    for store in (S3Bodies(lambda: dead, "any"), S3Bodies(lambda: s3, "no-such-bucket"), None):
        down = PaymentsLedger(payments_table, store)
        with pytest.raises(AnswersUnavailable):
            down.keep(payment, BIG)
        with pytest.raises(AnswersUnavailable) as caught:
            down.answer(payment.id, NOW)
        assert payment.id.digest not in str(caught.value)


def test_a_role_that_may_not_read_is_an_outage_and_not_a_loss() -> None:
    """AccessDenied also hides a missing key from a role without s3:ListBucket: 410 would be a guess."""

    class Denying:
        def get_object(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    denying: Any = Denying()
    with pytest.raises(AnswersUnavailable, match="AccessDenied"):
        S3Bodies(lambda: denying, "any").get("key")


def test_a42_a_takeover_cannot_overwrite_what_the_first_owner_kept(bodies: S3Bodies) -> None:
    """Each fence has its own object, whoever writes later."""
    claim = some_claim()
    first, second = Payment(claim, State.EXECUTING, 1), Payment(claim, State.EXECUTING, 2)
    one, two = describe(first, b"one"), describe(second, b"two")
    bodies.put(one, b"one")
    bodies.put(two, b"two")
    assert read_body(bodies, one) == b"one"
    assert read_body(bodies, two) == b"two"


def test_a41_a_crash_after_the_object_leaves_an_orphan_and_nothing_else(
    ledger: PaymentsLedger, payments_table: Table, s3: Any, bucket: str
) -> None:
    """The payment is released by whoever meets it; the slow owner's object is never anybody's answer."""
    payment = ledger.claim(some_claim(lease_until=NOW - 1))
    kept = ledger.keep(payment, BIG)
    assert len(keys(s3, bucket)) == 1
    ledger.release(payment, NOW, debt="owner_died")
    with pytest.raises(LostRace):
        ledger.hold(payment, kept, NOW)
    assert payments_table.get(f"ANS#{payment.id.digest}") is None
    assert ledger.answer(payment.id, NOW) is None
