"""The facilitator's public answers, apart from facilitator_api.py: settle, which a buyer waits for, needs none of it.

GET /x402/facilitator/supported      -> SupportedResponse
GET /x402/facilitator/openapi.json
"""

from collections.abc import Callable
from typing import Any

from tollgate.edge.json_api import json_answer
from tollgate.facilitator.openapi import OPENAPI_PATH, document
from tollgate.gateway.messages import Answer, Request


def for_anybody(message: Callable[[], dict[str, Any]]) -> Callable[[Request], Answer]:
    """Serves a request of supported, or of the document that describes this API."""
    return lambda request: json_answer(document() if request.raw_path == OPENAPI_PATH else message())
