"""Pay-per-call serverless compute: the prime factors of a number, sold by the call.

A handler as any behind API Gateway's HTTP API (payload format 2.0): it knows nothing of x402. Whoever called has paid
already, or pays before the answer leaves; who it was stands where a Lambda authorizer's context does.
"""

import json
import logging
import math
from typing import Any

LARGEST = 10**12

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Factor ``{number}``. What cannot be sold is a 4xx, which is not charged."""
    text = event["pathParameters"]["number"]
    if not (text.isascii() and text.isdecimal() and 2 <= int(text) <= LARGEST):
        return _answer(400, {"error": f"the number must be whole, from 2 to {LARGEST}"})
    paid = event["requestContext"].get("authorizer", {}).get("lambda", {})
    logger.info("factored %s for payment %s of %s", text, paid.get("paymentId"), paid.get("payer"))
    return _answer(200, {"number": int(text), "factors": factors(int(text)), "payment": paid.get("paymentId")})


def factors(number: int) -> list[int]:
    """The prime factors of a number from 2 on, the smallest first."""
    found: list[int] = []
    divisor = 2
    while divisor <= math.isqrt(number):
        if number % divisor:
            divisor += 1 if divisor == 2 else 2
        else:
            found.append(divisor)
            number //= divisor
    return [*found, number]


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
