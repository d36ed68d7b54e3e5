"""``tollgate doctor``: looks at a deployed stack from all sides and says what to do. It changes nothing."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate_cli import doctor_chains, doctor_functions, doctor_offer, doctor_receipts, doctor_routes, doctor_stack
from tollgate_cli.aws import Aws, FunctionFailed, invoke
from tollgate_cli.doctor_report import Report
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import Stack, read_stack

_SLOW_CLOCK_SECONDS = 5


def doctor(stack_name: str, aws: Aws, clock: Callable[[], float], progress: Progress) -> Result:
    """Every check; exit code 1 when something must be mended. Raises ``ConfigurationError`` for no such stack."""
    stack = read_stack(aws.cloudformation, stack_name)
    report = Report()
    doctor_stack.check_parameters(stack, report)
    progress(f"asking {stack.settle_function} about its keys and RPC endpoints")
    inside = _inside(stack, aws, clock, report)
    relayers = doctor_chains.check(stack, inside, report) if inside is not None else []
    doctor_stack.check_pay_to(stack, relayers, report)
    progress("reading the routes and what reconcile wrote")
    snapshot = doctor_routes.load(stack, aws, report)
    if snapshot is not None:
        doctor_routes.check(stack, snapshot, relayers, report)
        doctor_routes.check_health(snapshot, int(clock()), report)
        doctor_functions.check(stack, snapshot, aws.functions, report)
        doctor_stack.check_reconcile(stack, snapshot, int(clock()), report)
        progress(f"asking {stack.facts.base_url} for an offer")
        doctor_offer.check_offer(stack, snapshot, report)
    if stack.records_function:
        doctor_receipts.check_receipts(stack, report)
    doctor_stack.check_queue_and_schedule(stack, aws, report)
    doctor_stack.check_sellers(stack, snapshot, aws, report)
    if stack.facilitator_url:
        progress(f"asking {stack.facilitator_url}")
        doctor_offer.check_facilitator(stack, report)
    return _result(stack, report)


def _inside(stack: Stack, aws: Aws, clock: Callable[[], float], report: Report) -> dict[str, Any] | None:
    """What settle sees. The clocks are compared on the way."""
    before = clock()
    try:
        answer = invoke(aws.functions, stack.settle_function, {"op": "doctor"})
        now = float(answer["now"])
    except (FunctionFailed, BotoCoreError, ClientError, KeyError, TypeError, ValueError) as error:
        why = str(error) if isinstance(error, FunctionFailed) else type(error).__name__
        todo = f"deploy this version; else read its log: {stack.log('settle')}"
        report.mend("settle", f"the function that signs does not answer: {why}", todo)
        return None
    report.ok("settle", f"{stack.settle_function} answers")
    off = max(before - now, now - clock(), 0.0)
    if off > _SLOW_CLOCK_SECONDS:
        side = "ahead of" if now < before else "behind"
        report.note("clock", f"this machine is {off:.0f} s {side} the functions", "set this machine's clock")
    else:
        report.ok("clock", "this machine and the functions agree")
    return dict(answer)


def _result(stack: Stack, report: Report) -> Result:
    to_mend = report.to_mend
    document = {
        "stack": stack.name,
        "healthy": not to_mend,
        "findings": [finding.to_json() for finding in report.findings],
    }
    lines = [line for finding in report.findings for line in finding.lines()]
    end = f"{stack.name}: {len(to_mend)} to mend" if to_mend else f"{stack.name} is healthy"
    return Result(document, [*lines, end], code=1 if to_mend else 0)
