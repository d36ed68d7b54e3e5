"""What is measured before SETTLING is what leaves: the event answer, as Lambda's own runtime writes it."""

import pytest
from awslambdaric.lambda_runtime_marshaller import Encoder

from tests.support.payments import NETWORK, some_address
from tollgate.edge.answers import render
from tollgate.edge.http_api import write_answer
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.run_upstream import (
    MAX_ANSWER_HEADER_BYTES,
    MAX_EVENT_BYTES,
    RESERVED_EVENT_BYTES,
    deliverable,
)
from tollgate.gateway.upstream import MAX_ANSWER_BYTES
from tollgate.payment.record import StoredAnswer
from tollgate.wire.models import SettleResponse

# The longest that a receipt can be: an amount of 256 bits.
RECEIPT = SettleResponse(True, "0x" + "f" * 64, NETWORK, payer=some_address(), amount=2**256 - 1)
GET = {"requestContext": {"http": {"method": "GET"}}}
PLAIN = (("content-type", "application/octet-stream"),)
HEADERS = {
    "few": PLAIN,
    "long": (*PLAIN, *((f"x-{n}", "v" * 900) for n in range(8))),
    "escaped": (*PLAIN, ("x-quotes", '"\\' * 1500), ("x-name", "é" * 1500)),
    "repeated": (*PLAIN, *(("link", f"</{n}>; rel=next") for n in range(200))),
}


def event_bytes(answer: StoredAnswer, version: int, execution: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of the JSON that the runtime posts for this answer."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", execution)
    outcome = Outcome(Kind.SERVED, answer=answer, payment_response=RECEIPT, version=version)
    return len(Encoder().encode(write_answer(GET, render(outcome))).encode())


def largest(headers: tuple[tuple[str, str], ...]) -> StoredAnswer:
    """The biggest answer with these headers that is still sold."""
    low, high = 0, MAX_ANSWER_BYTES + 1
    while high - low > 1:
        middle = (low + high) // 2
        if deliverable(StoredAnswer(200, headers, bytes(middle))):
            low = middle
        else:
            high = middle
    return StoredAnswer(200, headers, bytes(low))


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("execution", ["AWS_Lambda_python3.11", "AWS_Lambda_python3.13"])
def test_a93_the_largest_answer_that_is_sold_is_one_that_lambda_returns(
    kind: str, version: int, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the edge of the cap, with the largest receipt, and by how either kind of runtime writes JSON."""
    answer = largest(HEADERS[kind])
    assert answer.body
    size = event_bytes(answer, version, execution, monkeypatch)
    assert size <= MAX_EVENT_BYTES
    assert not deliverable(StoredAnswer(200, answer.headers, answer.body + b"xxx"))


@pytest.mark.parametrize("version", [1, 2])
def test_the_cap_gives_away_less_than_the_reserve(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused could not have been much smaller."""
    size = event_bytes(largest(PLAIN), version, "AWS_Lambda_python3.13", monkeypatch)
    assert MAX_EVENT_BYTES - RESERVED_EVENT_BYTES < size <= MAX_EVENT_BYTES


def test_headers_have_a_cap_of_their_own() -> None:
    """API Gateway's, whatever the body weighs."""
    fits = (("x-a", "v" * (MAX_ANSWER_HEADER_BYTES - 10)),)
    assert deliverable(StoredAnswer(200, fits, b""))
    assert not deliverable(StoredAnswer(200, (("x-a", "v" * (MAX_ANSWER_HEADER_BYTES - 9)),), b""))
    assert not deliverable(StoredAnswer(200, (("x-a", "é" * (MAX_ANSWER_HEADER_BYTES // 2)),), b""))
