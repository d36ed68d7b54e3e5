"""Records over HTTP, for payers, and by invocation, for operators.

GET /x402/payments                                 the payments of whoever signs in, as JSON or CSV (history_api.py)
GET /x402/payments/{id}                            how a payment stands
GET /x402/receipts/{transaction}[?check=chain]     its signed receipt; on demand, whether the chain still shows it
GET /x402/did.json                                 whose key signs receipts
{"op": "receipt", "payment": "<64 hex digits>", "check": true}     invoked, by IAM
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.edge.history_api import list_payments
from tollgate.edge.json_api import json_answer, refused_answer
from tollgate.errors import BadRequest
from tollgate.gateway.history import HISTORY_PATH, PaymentHistory
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.records import DID_PATH, PAYMENTS_PATH, RECEIPTS_PATH, RecordRefused, Records
from tollgate.wire import headers


@dataclass(frozen=True, slots=True)
class RecordsApi:
    """What the function serves."""

    records: Records
    history: PaymentHistory


def serve(api: RecordsApi, request: Request) -> Answer:
    """Serve a GET. Raises ``BadRequest`` for what cannot be read."""
    records = api.records
    path, query = request.raw_path, request.raw_query
    sign_in = request.headers.get(headers.SIGN_IN_WITH_X)
    try:
        if path == HISTORY_PATH:
            return list_payments(api.history, request)
        if path.startswith(RECEIPTS_PATH):
            check = _check(query)
            return json_answer(records.receipt(path.removeprefix(RECEIPTS_PATH), sign_in, check=check))
        if query:
            raise BadRequest(400, "invalid_parameters", "This endpoint takes no parameters.")
        if path == DID_PATH:
            return json_answer(records.issuer.document())
        return json_answer(records.payment(path.removeprefix(PAYMENTS_PATH), sign_in))
    except RecordRefused as refused:
        return refused_answer(refused)


def answer(api: RecordsApi, event: Mapping[str, Any]) -> dict[str, Any]:
    """Serve an operator, whom IAM let in. Raises ``ValueError`` for another event."""
    records = api.records
    if event.get("op") != "receipt":
        raise ValueError("op must be receipt")
    payment = records.payments.get_by_digest(event["payment"])
    if payment is None:
        return {"outcome": "refused", "code": "unknown_payment", "sentence": "There is no such payment."}
    try:
        return {"outcome": "issued", **records.receipt_of(payment, check=bool(event.get("check")))}
    except RecordRefused as refused:
        return {"outcome": "refused", "code": refused.code, "sentence": refused.sentence, **refused.details}


def _check(query: str) -> bool:
    if query not in ("", "check=chain"):
        raise BadRequest(400, "invalid_parameters", "The only parameter is check=chain.")
    return bool(query)
