"""A Lambda function, sold by the call on the deployed stack: the example, its routes file, and an official client."""

import asyncio
import json
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from local.buyer import read_header
from local.functions import FACTORS, replace_factors
from local.paths import ROOT
from local.pay import fetch
from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, get, signed

PRICE = 10_000
FULL = 100_000_000


def test_an_official_client_pays_for_a_lambda_function(stack: LocalStack, buyer: LocalAccount) -> None:
    """402, signature, invocation, settlement, answer; the function knew which payment it worked for."""
    answer = asyncio.run(fetch(buyer, f"{stack.api_url}/factors/600851475143"))
    assert answer.status_code == 200
    receipt = read_header(answer.headers["payment-response"])
    said = answer.json()
    assert (said["number"], said["factors"]) == (600851475143, [71, 839, 1471, 6857])
    shown = json.loads(stack.tollgate("payments", "show", receipt["transaction"], "--json"))
    assert said["payment"] in json.dumps(shown)
    assert stack.chain.balance(buyer.address) == FULL - PRICE


def test_a_resend_gets_the_functions_answer_again(stack: LocalStack, buyer: LocalAccount) -> None:
    """From anywhere, by its payment-identifier."""
    payment = signed(stack, buyer, "/factors/91")
    first = get(stack, "/factors/91", payment)
    again = get(stack, "/factors/91", payment, source=ELSEWHERE)
    assert (first.status, first.json["factors"]) == (200, [7, 13])
    assert (again.status, again.body, again.receipt) == (200, first.body, first.receipt)


@pytest.mark.parametrize(("number", "status"), [("-1", 400), ("ten", 400), ("9" * 30, 400)])
def test_what_the_function_refuses_is_passed_on_and_not_charged(
    stack: LocalStack, buyer: LocalAccount, number: str, status: int
) -> None:
    """Its own 4xx, with its own words."""
    reply = get(stack, f"/factors/{number}", signed(stack, buyer, f"/factors/{number}"))
    assert (reply.status, "payment-response" in reply.headers) == (status, False)
    assert "the number must be whole" in reply.json["error"]
    assert stack.chain.balance(buyer.address) == FULL


_BROKEN = {
    "raises": "def handler(event, context):\n    raise ValueError('boom')\n",
    "cannot be loaded": "import nothing_of_that_name\n",
    "returns what is no answer": "def handler(event, context):\n    return {'statusCode': 'fine', 'body': 'x'}\n",
}


@pytest.mark.parametrize("source", _BROKEN.values(), ids=_BROKEN)
def test_a94_a_function_that_breaks_is_502_and_not_charged(stack: LocalStack, buyer: LocalAccount, source: str) -> None:
    """Lambda says 200 and FunctionError; the payment that was signed is never used."""
    replace_factors(stack.functions, source)
    try:
        reply = get(stack, "/factors/91", signed(stack, buyer, "/factors/91"))
    finally:
        replace_factors(stack.functions)
    assert (reply.status, reply.json["code"]) == (502, "upstream_unusable")
    assert "payment-response" not in reply.headers
    assert b"boom" not in reply.body
    stack.reconcile()
    assert stack.chain.balance(buyer.address) == FULL
    assert get(stack, "/factors/91", signed(stack, buyer, "/factors/91")).status == 200


def test_the_examples_routes_file_is_what_this_stack_sells(stack: LocalStack, tmp_path: Path) -> None:
    """As it stands in the repository; a function that the stack may not invoke, or its own, is refused."""
    example = ROOT / "examples" / "functions" / "routes.yaml"
    assert "1 route, no problems" in stack.tollgate("routes", "check", str(example))
    for name, expected in (
        (stack.deployed.settle_function, "is a function of this stack itself"),
        (stack.deployed.proxy_function, "is a function of this stack itself"),
        ("another", "is not in the stack's UpstreamFunctionArns"),
    ):
        file = tmp_path / "routes.yaml"
        file.write_text(example.read_text().replace(FACTORS, name))
        with pytest.raises(RuntimeError, match=expected):
            stack.tollgate("routes", "check", str(file))
