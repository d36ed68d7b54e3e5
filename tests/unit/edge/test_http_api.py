"""Events in, answers out: what API Gateway is handed back."""

import base64

import pytest

from tollgate.edge.http_api import write_answer
from tollgate.gateway.messages import Answer

ANSWER = Answer(402, (("payment-required", "e30="), ("Link", "<a>"), ("link", "<b>")), b"{}")


def test_repeated_headers_are_joined_and_the_body_is_base64() -> None:
    """Format 2.0 has one value for a name, and takes any bytes only in base64."""
    answer = write_answer({"requestContext": {"http": {"method": "GET"}}}, ANSWER)
    assert answer == {
        "statusCode": 402,
        "headers": {"payment-required": "e30=", "link": "<a>, <b>"},
        "body": base64.b64encode(b"{}").decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("method", ["HEAD", "head"])
def test_a30_head_gets_the_headers_without_a_body(method: str) -> None:
    """Not left to the front door."""
    answer = write_answer({"requestContext": {"http": {"method": method}}}, ANSWER)
    assert (answer["statusCode"], answer["body"]) == (402, "")
    assert answer["headers"]["payment-required"] == "e30="
