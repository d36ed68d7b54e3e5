"""The facilitator's HTTP API for sellers elsewhere, as official x402 SDKs speak it.

    POST /x402/facilitator/verify      key, envelope -> VerifyResponse
    POST /x402/facilitator/settle      key, envelope -> SettleResponse

What is public is in supported_api.py.
Official clients lose the reason of any answer but 200, so whatever concerns the payment is a 200. The key is
checked before the body is even parsed.
"""

from collections.abc import Callable

from tollgate.edge.json_api import json_answer
from tollgate.facilitator.sellers import Sellers, authenticate
from tollgate.gateway.messages import Answer, Request
from tollgate.payment.events import Journal
from tollgate.payment.sellers import Seller
from tollgate.wire.facilitator_messages import Envelope, SettleAnswer, VerifyResponse, parse_envelope

Decide = Callable[[Seller, Envelope], VerifyResponse | SettleAnswer]

POST = ("POST",)
GET = ("GET", "HEAD")


def for_seller(sellers: Sellers, journal: Journal, decide: Decide) -> Callable[[Request], Answer]:
    """Serves a request of verify or settle. Raises ``BadRequest``: 401, 413, 400."""

    def serve(request: Request) -> Answer:
        seller = authenticate(sellers, request.headers.get("authorization"), journal)
        return json_answer(decide(seller, parse_envelope(request.body)).to_json())

    return serve
