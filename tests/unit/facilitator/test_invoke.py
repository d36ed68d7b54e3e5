"""Our settle function as a Settler: whatever gets lost on the way is Pending, never a failure."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from urllib3.exceptions import SSLError

from tests.support.payments import some_claim, some_proof
from tests.support.world import Diary
from tollgate.facilitator.invoke import FunctionSettler
from tollgate.payment.events import Event
from tollgate.payment.refund import Ready, RefundAnswer, Waits, answer_to_json
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleRequest, outcome_to_json
from tollgate.wire.reasons import Reason

CLAIM = some_claim()
REQUEST = SettleRequest(
    CLAIM.id.network, CLAIM.id.asset, CLAIM.authorization, CLAIM.signature, 7, "self", 60, CLAIM.resource_url
)
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "Invoke")


class BrokenOff:
    """An answer whose connection breaks while it is read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self) -> bytes:
        """As a streaming body, which hands on what is neither a timeout nor too short."""
        raise self.error


class Lambda:
    """Answers every Invoke with one thing."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Raise or answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, BrokenOff):
            return {"Payload": self.answer}
        return {
            "Payload": io.BytesIO(self.answer),
            **({"FunctionError": "Unhandled"} if b"error" in self.answer else {}),
        }


def settler(answer: Any, diary: Diary, timeouts: list[int] | None = None) -> FunctionSettler:
    """A settler whose clients remember their read timeouts."""

    def make(timeout: int) -> Any:
        if timeouts is not None:
            timeouts.append(timeout)
        return Lambda(answer)

    return FunctionSettler(make, "settle", 20, diary)


@pytest.mark.parametrize(
    "answer",
    [
        THROTTLED,
        ReadTimeoutError(endpoint_url="http://x"),
        BrokenOff(SSLError("record layer failure")),
        BrokenOff(ConnectionResetError()),
        b'{"error": "Unhandled"}',
        b"not JSON",
        b"[]",
        b"{}",
        b'{"outcome":"confirmed"}',
        b'{"outcome":"confirmed","ours":"true","proof":{}}',
        b'{"outcome":"failed","reason":"no such reason"}',
        b'{"outcome":"refused","reason":"duplicate_settlement"}',
    ],
)
def test_a73_a_lost_or_odd_answer_is_pending_and_named_in_the_log(answer: Any) -> None:
    """The callee may be at work still: only a whole, strict answer is believed."""
    diary = Diary()
    assert settler(answer, diary).settle(REQUEST, 25) == Pending()
    if answer != b"[]":
        assert diary.events[-1][0] is Event.SETTLEMENT_PENDING
        assert diary.events[-1][1]["payment"] == CLAIM.id.digest


@pytest.mark.parametrize(
    "outcome",
    [Confirmed(some_proof(), True), Pending(some_proof().transaction), Failed(Reason.AUTHORIZATION_CANCELLED)],
)
def test_an_outcome_travels_unchanged(outcome: Any) -> None:
    """What settle says is what the gateway reads."""
    answer = json.dumps(outcome_to_json(outcome)).encode()
    assert settler(answer, Diary()).settle(REQUEST, 25) == outcome


def test_a77_the_read_timeout_is_the_callees_or_what_is_left() -> None:
    """Rule 12: the smaller of the callee's limit + 1 s and the caller's budget."""
    timeouts: list[int] = []
    one = settler(b"{}", Diary(), timeouts)
    for left in (26.0, 21.0, 20.9, 7.0, 2.0):
        one.settle(REQUEST, left)
    assert timeouts == [21, 12, 6, 1]
    assert all(t <= left for t, left in zip(timeouts, (21.0, 20.9, 7.0, 2.0), strict=True))


def test_an_unknown_relayer_status_is_not_a_pending_payment() -> None:
    """Its own event, without a payment."""
    diary = Diary()
    assert settler(THROTTLED, diary).relayers(5) is None
    assert [event for event, _ in diary.events] == [Event.RELAYER_STATUS]


@pytest.mark.parametrize(
    "answer", [Ready(), Waits("treasury_short"), Confirmed(some_proof(), True), Pending(), Failed(Reason.DAILY_CAP)]
)
def test_what_becomes_of_a_refund_travels_unchanged(answer: RefundAnswer) -> None:
    """What settle says is what reconcile reads, and only the payment is named."""
    one = settler(json.dumps(answer_to_json(answer)).encode(), Diary())
    assert one.refund_ready(CLAIM.id, 10) == one.refund(CLAIM.id, 10) == answer


def test_a_refusal_to_refund_is_its_reason_and_a_lost_answer_is_none() -> None:
    """A refusal says that nothing was signed in this call; a lost answer says nothing."""
    refused = b'{"outcome":"refused","reason":"refunds_manual"}'
    assert settler(refused, Diary()).refund(CLAIM.id, 10) is Reason.REFUNDS_MANUAL
    for lost in (THROTTLED, b"{}", b'{"outcome":"refused","reason":"no such reason"}', b'{"error": "Unhandled"}'):
        diary = Diary()
        assert settler(lost, diary).refund(CLAIM.id, 10) is None
        assert diary.count(Event.SETTLEMENT_PENDING) == 1
