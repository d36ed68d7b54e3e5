"""Our own settle function as a ``Settler``: a synchronous Invoke that is never retried behind our back.

Whatever goes wrong between here and there (throttled, timed out, killed, an answer that cannot be
read) is ``Pending``: the callee may be at work still, harmlessly (rule 12). Never a failure.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.payment.refund import RefundAnswer, answer_from_json
from tollgate.payment.settlement import Pending, SettleOutcome, SettleRequest, outcome_from_json
from tollgate.wire.reasons import Reason

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_READ_TIMEOUTS = (12, 6, 3, 1)


class FunctionSettler:
    """Invokes settle with a read timeout of the smaller of the callee's + 1 s and the caller's budget.

    ``make_client`` builds a Lambda client for a read timeout in seconds, with retries off; botocore
    fixes the timeout per client, so a few are kept.
    """

    def __init__(
        self,
        make_client: "Callable[[int], LambdaClient]",
        function_name: str,
        callee_timeout: int,
        journal: Journal,
    ) -> None:
        self._make_client = make_client
        self._function_name = function_name
        self._timeouts = (callee_timeout + 1, *(t for t in _READ_TIMEOUTS if t <= callee_timeout))
        self._clients: dict[int, LambdaClient] = {}
        self._journal = journal

    def settle(self, request: SettleRequest, timeout: float) -> SettleOutcome:
        """Ask for settlement. ``timeout`` in seconds; a lost answer is ``Pending``."""
        payment = request.payment_id.digest
        answer = self._invoke({"op": "settle", "request": request.to_json()}, timeout, payment)
        if answer is None:
            return Pending()
        try:
            return outcome_from_json(answer)
        except (KeyError, TypeError, ValueError):
            self._lost("answer not understood", payment)
            return Pending()

    def refund_ready(self, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        """Whether settle could refund the payment now; ``None`` when its answer was lost."""
        return self._refund("refund_ready", payment, timeout)

    def refund(self, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        """Have the payment refunded; ``None`` when the answer was lost: it may be on its way."""
        return self._refund("refund", payment, timeout)

    def _refund(self, op: str, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        answer = self._invoke({"op": op, "payment": str(payment)}, timeout, payment.digest)
        if answer is None:
            return None
        try:
            if answer["outcome"] == "refused":
                return Reason(answer["reason"])
            return answer_from_json(answer)
        except (KeyError, TypeError, ValueError):
            self._lost("answer not understood", payment.digest)
            return None

    def relayers(self, timeout: float) -> dict[str, Any] | None:
        """The relayers' addresses and gas balances per network; ``None`` when settle cannot say."""
        return self._invoke({"op": "relayers"}, timeout, None)

    def _invoke(self, event: dict[str, Any], timeout: float, payment: str | None) -> dict[str, Any] | None:
        try:
            response = self._client(timeout).invoke(
                FunctionName=self._function_name, Payload=json.dumps(event).encode()
            )
            payload = response["Payload"].read()
        except (ClientError, BotoCoreError, HTTPError, OSError) as error:
            # A connection that breaks while the answer is read comes as urllib3's or the socket's own error.
            self._lost(type(error).__name__, payment)
            return None
        if response.get("FunctionError"):
            self._lost("function error", payment)
            return None
        try:
            answer = json.loads(payload)
        except ValueError:
            self._lost("answer not JSON", payment)
            return None
        return answer if isinstance(answer, dict) else None

    def _client(self, timeout: float) -> "LambdaClient":
        seconds = next((t for t in self._timeouts if t <= timeout), self._timeouts[-1])
        if seconds not in self._clients:
            self._clients[seconds] = self._make_client(seconds)
        return self._clients[seconds]

    def _lost(self, why: str, payment: str | None) -> None:
        """The callee's answer did not come: its payment is pending, or its relayers' status is not known."""
        event = Event.RELAYER_STATUS if payment is None else Event.SETTLEMENT_PENDING
        self._journal.record(event, payment=payment, why=why)
