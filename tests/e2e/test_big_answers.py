"""Big answers through the front door and Lambda."""

from typing import Any

from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, get, signed

MEGABYTE = 1024 * 1024


def objects(stack: LocalStack) -> list[dict[str, Any]]:
    """What the stack's bucket holds."""
    s3 = stack.client("s3")
    (bucket,) = [found["Name"] for found in s3.list_buckets()["Buckets"] if "answers" in found["Name"].lower()]
    return list(s3.list_objects_v2(Bucket=bucket).get("Contents", []))


def test_a81_a_megabyte_is_paid_once_and_resent_byte_for_byte(stack: LocalStack, buyer: LocalAccount) -> None:
    """From another address, by the identifier; one object, one run, one payment."""
    payment = signed(stack, buyer, "/big")
    before = len(objects(stack))
    path = f"/big?bytes={MEGABYTE}"
    first = get(stack, path, payment)
    assert (first.status, len(first.body)) == (200, MEGABYTE)
    again = get(stack, path, payment, source=ELSEWHERE)
    assert again.status == 200
    assert again.body == first.body
    assert again.receipt == first.receipt
    assert len(objects(stack)) == before + 1
    assert stack.upstream.runs["/big"] == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - 10_000


def test_a93_the_largest_answer_passes_and_five_megabytes_are_502_and_not_charged(
    stack: LocalStack, buyer: LocalAccount
) -> None:
    """Just under what Lambda returns is delivered; above it the payment is released."""
    largest = 4_717_000
    served = get(stack, f"/big?bytes={largest}", signed(stack, buyer, "/big"))
    assert (served.status, len(served.body)) == (200, largest)
    before = len(objects(stack))
    reply = get(stack, "/big?bytes=5000000", signed(stack, buyer, "/big"))
    assert (reply.status, reply.json["code"]) == (502, "upstream_unusable")
    assert "payment-response" not in reply.headers
    assert len(objects(stack)) == before
    assert stack.chain.balance(buyer.address) == 100_000_000 - 10_000
