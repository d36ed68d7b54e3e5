"""GET /x402/payments: a page of the signer's payments.

JSON unless CSV is asked for, by ``format=csv`` or by ``Accept: text/csv``; the next page of a CSV is in its Link
header (RFC 8288).
"""

from tollgate.edge.json_api import json_answer
from tollgate.gateway.history import HISTORY_PATH, PaymentHistory
from tollgate.gateway.history_csv import to_csv
from tollgate.gateway.history_query import read_history_query
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.payment_view import view
from tollgate.wire import headers

_CSV_HEADERS = (
    ("cache-control", "private, no-store"),
    ("content-type", "text/csv; charset=utf-8"),
    ("content-disposition", 'attachment; filename="payments.csv"'),
    ("x-content-type-options", "nosniff"),
)


def list_payments(history: PaymentHistory, request: Request) -> Answer:
    """Raises ``BadRequest`` for a parameter, a cursor or a signature that does not hold."""
    query = read_history_query(request.raw_query)
    found = history.list(query, request.headers.get(headers.SIGN_IN_WITH_X))
    if query.csv or request.headers.get("accept", "").strip().lower().startswith("text/csv"):
        more = () if found.cursor is None else (("link", _next(history.base_url, request.raw_query, found.cursor)),)
        return Answer(200, (*_CSV_HEADERS, *more), to_csv(found.payments).encode())
    total = {} if found.total is None else {"total": {"count": found.total[0], "exact": found.total[1]}}
    return json_answer({"payments": [view(payment) for payment in found.payments], "cursor": found.cursor, **total})


def _next(base_url: str, raw_query: str, cursor: str) -> str:
    kept = [pair for pair in raw_query.split("&") if pair and not pair.startswith("cursor=")]
    return f'<{base_url}{HISTORY_PATH}?{"&".join([*kept, f"cursor={cursor}"])}>; rel="next"'
