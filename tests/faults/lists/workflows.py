"""Workflows behind webhooks: who may say their end, and how often."""

from tests.faults.sabotage import Sabotage

_TESTS = "tests/contract/gateway/test_workflows.py::"

SABOTAGES = (
    Sabotage(
        "anybody who knows a payment says how its workflow ended",
        "ledger/executions.py",
        "    return hashlib.sha256(token.encode()).hexdigest()",
        '    return hashlib.sha256(b"").hexdigest()',
        _TESTS + "test_an_end_is_said_once_and_only_by_the_workflow_itself",
    ),
    Sabotage(
        "a second end takes the place of the first",
        "ledger/executions.py",
        "callback = :callback AND expires_at > :now AND attribute_not_exists(ended_at)",
        "callback = :callback AND expires_at > :now",
        _TESTS + "test_an_end_is_said_once_and_only_by_the_workflow_itself",
    ),
    Sabotage(
        "a workflow is not written down before it is asked",
        "gateway/executions.py",
        "        self.parts.executions.begin(payment.id, call.match.route.id, token, self.parts.now())\n",
        "",
        _TESTS + "test_a_workflow_may_say_its_end_before_it_answers",
    ),
)
