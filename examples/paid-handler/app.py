"""A forecast for a cent: a Lambda handler of one's own with a price on it."""

import json
import os
from typing import Any

from tollgate.paid import paid


@paid(
    {"GET /weather/{city}": "$0.01", "GET /health": "free"},
    pay_to=os.environ["PAY_TO"],
    description="Tomorrow's weather in a city",
)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What is sold; it runs once for each payment, and is not charged for unless it answers 2xx."""
    if event["routeKey"] == "GET /health":
        return {"statusCode": 200, "body": "well"}
    who = event["requestContext"]["authorizer"]["lambda"]
    forecast = {"city": event["pathParameters"]["city"], "tomorrow": "sunny", "paidBy": who["payer"]}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(forecast),
    }
