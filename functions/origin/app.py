"""Let into the API what comes from CloudFront, which alone knows the header's value. HTTP API authorizer, simple form.

Source: AWS, "Control access to HTTP APIs with AWS Lambda authorizers".
"""

import os
from secrets import compare_digest
from typing import Any

import boto3

HEADER = "x-tollgate-origin"
_secret: bytes | None = None


def _expected() -> bytes:
    global _secret  # noqa: PLW0603 - one per cold start; the front's header changes only with a deployment
    if _secret is None:
        found = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["TOLLGATE_ORIGIN_SECRET"])
        _secret = found["SecretString"].encode()
    return _secret


def handler(event: dict[str, Any], context: Any) -> dict[str, bool]:
    """Whether the request passed the front. Whatever fails here is API Gateway's 500: nobody gets in by it."""
    shown: str = event["headers"].get(HEADER, "")
    return {"isAuthorized": compare_digest(shown.encode(), _expected())}
