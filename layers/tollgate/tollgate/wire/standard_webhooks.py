"""Signatures of webhooks: webhook-id, webhook-timestamp, and webhook-signature over both and the body.

    webhook-signature: v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>[ v1,...]

One signature for each secret, so that a receiver may hold either while they are rotated.
Source: Standard Webhooks specification 1.0.0, "Webhook headers and signature scheme", "Signature scheme".
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"
_FEWEST, _MOST = 24, 64


def parse_secret(text: str) -> bytes:
    """The key in ``whsec_<base64>``, of 24 to 64 bytes. Raises ``ValueError``, which repeats nothing of it."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not text.startswith(_PREFIX) or not _FEWEST <= len(key) <= _MOST:
        raise ValueError(f"a secret is {_PREFIX} and base64 of {_FEWEST} to {_MOST} random bytes")
    return key


def signed_headers(id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers; ``timestamp`` is Unix seconds of the attempt."""
    content = f"{id}.{timestamp}.".encode() + body
    found = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(f"v1,{signature}" for signature in found)}
