"""Registering a route as something to buy: what a priced route of the operator's runs.

The buyer sends {"signIn": the SIGN-IN-WITH-X of its wallet, "declaration": the route's JSON, as text}; the sign-in is
the one for POST /x402/admin/routes with that text as its body. Who pays and who owns the route may be two wallets.
"""

import base64
import json
import os
from typing import Any

import boto3
from botocore.config import Config

# Never asked twice behind our back: a registration that is sent again would find its sign-in used up.
ONCE = Config(connect_timeout=2, read_timeout=8, retries={"total_max_attempts": 1})
LONGEST = 64 * 1024


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer as the admin API does. What is not a 2xx is owed back to the payer by the stack."""
    message = read(event)
    if message is None:
        wrong = {"error": "Send signIn and declaration, both as text.", "code": "invalid_json"}
        return {"statusCode": 400, "body": json.dumps(wrong)}
    payload = json.dumps({"op": "register", **message})
    out = boto3.client("lambda", config=ONCE).invoke(FunctionName=os.environ["ADMIN_FUNCTION"], Payload=payload)
    answered = out["Payload"].read()
    if "FunctionError" in out:
        raise RuntimeError("admin failed; see its log")
    answer: dict[str, Any] = json.loads(answered)
    return answer


def read(event: dict[str, Any]) -> dict[str, str] | None:
    """What was sent, if it is that."""
    body = event.get("body") or ""
    try:
        data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        message = json.loads(data[:LONGEST])
    except (ValueError, RecursionError):
        return None
    wanted = ("signIn", "declaration")
    if not isinstance(message, dict) or not all(isinstance(message.get(name), str) for name in wanted):
        return None
    return {name: message[name] for name in wanted}
