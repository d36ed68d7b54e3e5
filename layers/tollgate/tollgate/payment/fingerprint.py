"""What a payment was first used for: a hash over the request, so that a resend can be told from another request.

EIP-3009 signs no resource; this is what binds the claim to one (threats 17, 20-22). Every part is
length-prefixed, so no two different requests share one pre-image.
"""

import hashlib


def fingerprint(method: str, route_id: str, path: str, raw_query: str, body: bytes) -> str:
    """SHA-256 in hex over method, route, canonical path, the query as forwarded, and the body's hash."""
    digest = hashlib.sha256()
    for part in (
        method.encode(),
        route_id.encode(),
        path.encode(),
        raw_query.encode("utf-8", "surrogateescape"),
        hashlib.sha256(body).digest(),
    ):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
