"""Workflows behind webhooks (n8n and the like): started by a paid call, told where to say their end, tracked.

    to the webhook    X-Payment-Id: <the payment's digest>      the same in receipts, logs and `tollgate payments show`
                      X-Payment-Callback: <base>/x402/executions?payment=<digest>&token=<128 random bits>
    from the workflow POST to that URL: the result as its body; with &outcome=failed at the end, that there is none

One that answers at once needs none of it. One that answers 202 without a Location is waited for: the buyer's link
(result_links.py) leads to what the workflow says. Buyers' headers of these names never go up.
"""

import re
from dataclasses import dataclass

from tollgate.errors import BadRequest
from tollgate.gateway.call import Call, Parts
from tollgate.gateway.catalogue import MethodNotAllowed
from tollgate.gateway.forwarding import is_field
from tollgate.gateway.messages import Request
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.ledger.executions import AlreadyEnded, Ending, Execution, NoExecution
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer
from tollgate.payment.routes import UpstreamTarget
from tollgate.wire import strict_json

EXECUTIONS_PATH = "/x402/executions"
# One DynamoDB item holds it.
MAX_RESULT_BYTES = 256 * 1024
# What a webhook's 202 may weigh for its execution's id to be looked for.
_MAX_ACCEPTED_BYTES = 64 * 1024
_MAX_TYPE = 200
_QUERY = re.compile(r"payment=([0-9a-f]{64})&token=([0-9a-f]{32})(&outcome=failed)?")
_EXECUTION = re.compile(r"[ -~]{1,128}")
_JSON = (("content-type", "application/json"),)
_IDS = ("executionId", "execution_id")


@dataclass(frozen=True, slots=True)
class Executions:
    """Workflows from their start to their end."""

    parts: Parts

    def begin(self, call: Call, payment: Payment) -> dict[str, str]:
        """The headers by which a webhook knows its payment and where to say its end; none for other upstreams."""
        upstream = call.match.route.upstream
        if not isinstance(upstream, UpstreamTarget) or not upstream.webhook:
            return {}
        token = self.parts.new_token()
        self.parts.executions.begin(payment.id, call.match.route.id, token, self.parts.now())
        callback = f"{self.parts.base_url}{EXECUTIONS_PATH}?payment={payment.id.digest}&token={token}"
        return {"x-payment-id": payment.id.digest, "x-payment-callback": callback}

    def accepted(self, payment: Payment, answer: StoredAnswer) -> None:
        """Remember what a webhook's 202 calls its execution."""
        self.parts.executions.accepted(payment.id, _named(answer.body), self.parts.now())

    def end(self, request: Request) -> Outcome:
        """A workflow says how it ended, once. Raises ``BadRequest`` 404, 405, 409 or 413."""
        if request.method != "POST":
            raise MethodNotAllowed(["POST"])
        found = _QUERY.fullmatch(request.raw_query)
        if found is None:
            raise _unknown()
        if len(request.body) > MAX_RESULT_BYTES:
            raise BadRequest(
                413, "result_too_large", f"A result may have {MAX_RESULT_BYTES} bytes: answer with a link."
            )
        kind = request.headers.get("content-type", "")
        if not 0 < len(kind) <= _MAX_TYPE or not is_field("content-type", kind):
            kind = "application/octet-stream"
        ending = Ending.FAILED if found[3] else Ending.DELIVERED
        try:
            route = self.parts.executions.end(found[1], found[2], ending, kind, request.body, self.parts.now())
        except NoExecution as error:
            raise _unknown() from error
        except AlreadyEnded as error:
            raise BadRequest(409, "execution_ended", "This execution said another end before, which stands.") from error
        self.parts.journal.record(Event.EXECUTION_ENDED, payment=found[1], route=route, outcome=ending.value)
        return Outcome(Kind.RESULT, answer=StoredAnswer(200, _JSON, b'{"ended":true}'))

    def result(self, payment: Payment) -> Outcome:
        """What lies under the buyer's link of a workflow that is waited for."""
        execution = self.parts.executions.find(payment.id.digest)
        if execution is None or execution.ending is None:
            answer = StoredAnswer(202, (*_JSON, ("retry-after", "5")), b'{"done":false}')
            return Outcome(Kind.RESULT, answer=answer, payment_response=payment.success())
        if execution.ending is Ending.FAILED:
            return _failed(payment)
        self.parts.journal.record(Event.RESULT_FETCHED, payment=payment.id.digest, route=execution.route, status=200)
        return Outcome(Kind.RESULT, answer=_delivered(execution), payment_response=payment.success())


def _delivered(execution: Execution) -> StoredAnswer:
    return StoredAnswer(200, (("content-type", execution.content_type),), execution.body)


def _failed(payment: Payment) -> Outcome:
    return Outcome(
        Kind.UPSTREAM_UNUSABLE,
        code="execution_failed",
        sentence="The workflow behind this link failed after it was paid for. Ask the seller, naming the payment.",
        details={"payment": payment.id.digest, "transaction": str(payment.transaction)},
    )


def _unknown() -> BadRequest:
    return BadRequest(404, "unknown_execution", "There is no execution under this URL.")


def _named(body: bytes) -> str:
    """The execution's id in a JSON object, if it says one that can be shown."""
    try:
        said = strict_json.loads(body, max_bytes=_MAX_ACCEPTED_BYTES, floats=True)
    except BadRequest:
        return ""
    for name in _IDS if isinstance(said, dict) else ():
        value = said.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and _EXECUTION.fullmatch(str(value)):
            return str(value)
    return ""
