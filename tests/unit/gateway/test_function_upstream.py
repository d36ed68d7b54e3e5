"""The client behind a function upstream: what breaks on the way, and how many clients there are."""

import json
import ssl
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from urllib3.exceptions import SSLError

from tests.unit.gateway.test_function_event import REQUEST
from tollgate.gateway.function_upstream import FunctionUpstream
from tollgate.gateway.upstream import FailureKind, UpstreamFailed
from tollgate.payment.routes import FunctionTarget

FINE = json.dumps({"statusCode": 200, "body": "fine"}).encode()


class Payload:
    """What Invoke returned, in pieces; a piece may be an error."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = [*pieces, b""]
        self.closed = False

    def read(self, _amount: int) -> bytes:
        """The next piece."""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        """Noted."""
        self.closed = True


class Lambda:
    """A client with one answer."""

    def __init__(self, answer: Payload | Exception, **more: Any) -> None:
        self.answer = answer
        self.more = more

    def invoke(self, **_: Any) -> dict[str, Any]:
        """As boto3."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"StatusCode": 200, "Payload": self.answer, **self.more}


def upstream(answer: Payload | Exception, made: list[float] | None = None, **more: Any) -> FunctionUpstream:
    """An upstream whose clients remember the timeouts they were made for."""

    def make(timeout: float) -> Any:
        if made is not None:
            made.append(timeout)
        return Lambda(answer, **more)

    return FunctionUpstream(make, ("settle",), domain="api.example", clock=lambda: 0.0, now=lambda: 0.0)


def fails(answer: Payload | Exception, **more: Any) -> FailureKind:
    """How the call fails."""
    with pytest.raises(UpstreamFailed) as failed:
        upstream(answer, **more).fetch(FunctionTarget("report", 5.0), REQUEST, 5.0)
    if isinstance(answer, Payload):
        assert answer.closed
    return failed.value.kind


_BREAKS: list[tuple[Exception, FailureKind]] = [
    (ReadTimeoutError(endpoint_url="x"), FailureKind.TIMEOUT),
    (TimeoutError(), FailureKind.TIMEOUT),
    (EndpointConnectionError(endpoint_url="x"), FailureKind.UNREACHABLE),
    (IncompleteReadError(actual_bytes=1, expected_bytes=2), FailureKind.UNREACHABLE),
    (ResponseStreamingError(error="x"), FailureKind.UNREACHABLE),
    (SSLError(ssl.SSLError("bad record")), FailureKind.UNREACHABLE),
    (ConnectionResetError(), FailureKind.UNREACHABLE),
    (NoCredentialsError(), FailureKind.UNREACHABLE),
]


@pytest.mark.parametrize(("error", "kind"), _BREAKS, ids=[type(error).__name__ for error, _ in _BREAKS])
def test_whatever_breaks_on_the_way_is_no_answer(error: Exception, kind: FailureKind) -> None:
    """Before the answer, and in the middle of it."""
    assert fails(error) is kind
    assert fails(Payload(FINE, error)) is kind


@pytest.mark.parametrize("status", [202, 204])
def test_an_answer_of_another_kind_of_invocation_is_none(status: int) -> None:
    """Accepted is not answered."""
    assert fails(Payload(FINE), StatusCode=status) is FailureKind.FUNCTION_ERROR


def test_more_than_lambda_returns_is_not_read_to_its_end() -> None:
    """Memory is bounded by the cap, not by what is sent."""
    endless = Payload(*[b"x" * 2_000_000] * 50)
    assert fails(endless) is FailureKind.TOO_LARGE
    assert len(endless.pieces) > 40


@pytest.mark.parametrize("function", ["settle", "settle:live", "arn:aws:lambda:us-east-1:123456789012:function:settle"])
def test_the_stacks_own_function_is_refused_however_it_is_spelled(function: str) -> None:
    """No client is even made."""
    made: list[float] = []
    with pytest.raises(UpstreamFailed) as failed:
        upstream(Payload(FINE), made).fetch(FunctionTarget(function, 5.0), REQUEST, 5.0)
    assert (failed.value.kind, failed.value.sent, made) == (FailureKind.FUNCTION_REFUSED, False, [])


def test_a_failure_says_nothing_of_the_function() -> None:
    """Its name and account are the seller's business."""
    with pytest.raises(UpstreamFailed) as failed:
        upstream(ClientError({"Error": {"Code": "KMSDisabledException", "Message": "arn:secret"}}, "Invoke")).fetch(
            FunctionTarget("hidden", 5.0), REQUEST, 5.0
        )
    assert str(failed.value) == "the upstream failed: unreachable"


def test_there_is_one_client_for_a_timeout_and_few_for_what_is_left() -> None:
    """Making one takes time; what is left of a request is different each time."""
    made: list[float] = []

    class Fine:
        def invoke(self, **_: Any) -> dict[str, Any]:
            return {"StatusCode": 200, "Payload": Payload(FINE)}

    def make(timeout: float) -> Any:
        made.append(timeout)
        return Fine()

    asked = FunctionUpstream(make, (), domain="api.example", clock=lambda: 0.0, now=lambda: 0.0)
    for timeout in (5.5, 5.5, 4.9, 4.2, 4.0, 0.3, 5.5):
        assert asked.fetch(FunctionTarget("report", 5.5), REQUEST, timeout).body == b"fine"
    assert made == [5.5, 4.0, 0.3]
