"""The doctor on what CloudFormation made: parameters, reconcile and its schedule, dead letters, sellers."""

from collections.abc import Collection
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.errors import ConfigurationError
from tollgate.ledger.sellers import SellersTable
from tollgate.payment.routes import Snapshot
from tollgate.settings import read_settings
from tollgate_cli import receivers
from tollgate_cli.aws import Aws
from tollgate_cli.doctor_report import Report
from tollgate_cli.stack import Stack

# Reconcile runs every minute; two may fail without anybody waking up.
_RECONCILE_SECONDS = 180


def check_parameters(stack: Stack, report: Report) -> None:
    """Whether the functions take what the template let through, and the asset can be collected."""
    networks = ",".join(str(info.network) for info in stack.facts.networks)
    environment = {"TOLLGATE_STAGE": stack.stage, "TOLLGATE_NETWORKS": networks, "TOLLGATE_RPC_SECRET": "-"}
    problems: list[str] = []
    try:
        read_settings(environment)
    except ConfigurationError as error:
        problems.append(str(error).replace("TOLLGATE_NETWORKS", "Network"))
    for info in stack.facts.networks:
        try:
            info.payable_asset(stack.facts.asset)
        except ConfigurationError as error:
            problems.append(str(error))
    for problem in problems:
        report.mend("parameters", problem, "deploy with other values of Stage, Network and Asset (docs/networks.md)")
    if not problems:
        names = ", ".join(info.name for info in stack.facts.networks)
        report.ok("parameters", f"stage {stack.stage}, {stack.facts.asset} on {names}")


def check_pay_to(stack: Stack, relayers: Collection[str], report: Report) -> None:
    """Nothing but settle may sign with a relayer's key, so money sent to it stays there."""
    if str(stack.facts.pay_to) in relayers:
        report.mend(
            "pay to",
            f"PayTo is the relayer's own address {stack.facts.pay_to}: nobody can send on what arrives there",
            "deploy with the address of a wallet of yours as PayTo, then apply the routes again",
        )
    else:
        report.ok("pay to", f"routes that name no payTo pay to {stack.facts.pay_to}")


def check_reconcile(stack: Stack, snapshot: Snapshot, now: int, report: Report) -> None:
    """The networks' status rows are what reconcile last wrote."""
    todo = f"read its log: {stack.log('reconcile')}"
    for info in stack.facts.networks:
        status = snapshot.status(info.network)
        if status is None:
            report.mend("reconcile", f"{info.name}: reconcile has never seen its relayers' gas", todo)
        elif now - status.checked_at > _RECONCILE_SECONDS:
            age = now - status.checked_at
            report.mend("reconcile", f"{info.name}: reconcile last got through {age} s ago; it runs every minute", todo)
        else:
            report.ok("reconcile", f"{info.name}: reconcile got through {max(0, now - status.checked_at)} s ago")


def check_queue_and_schedule(stack: Stack, aws: Aws, report: Report) -> None:
    """Whether reconcile is started at all, and what could not be delivered."""
    if aws.client is None:
        return
    try:
        name = _physical(stack, aws, "ReconcileSchedule")
        schedule = aws.client("scheduler").get_schedule(Name=name)
        url = _physical(stack, aws, "DeadLetters")
        queue = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    except (ClientError, BotoCoreError, KeyError) as error:
        report.note("schedule", f"the schedule and the dead letters cannot be read ({type(error).__name__})")
        return
    if schedule["State"] == "ENABLED":
        report.ok("schedule", "reconcile is started every minute")
    else:
        todo = f"enable {name} in EventBridge Scheduler"
        report.mend("schedule", "the schedule of reconcile is disabled: nothing open is finished", todo)
    waiting = int(queue["Attributes"]["ApproximateNumberOfMessages"])
    if waiting:
        runs = "1 run" if waiting == 1 else f"{waiting} runs"
        report.mend(
            "dead letters",
            f"{runs} of reconcile failed or could not be started",
            f"read its log ({stack.log('reconcile')}), mend the cause, then: aws sqs purge-queue --queue-url {url}",
        )
    else:
        report.ok("dead letters", "none")


def check_sellers(stack: Stack, snapshot: Snapshot | None, aws: Aws, report: Report) -> None:
    """Whether the facilitator API can know anybody, and nobody is paid where a route is."""
    if not stack.sellers_table:
        report.note("sellers", "this stack has no sellers table: it was deployed before there was one")
        return
    try:
        sellers = SellersTable(aws.dynamodb, stack.sellers_table).all()
    except (ClientError, BotoCoreError, ConfigurationError) as error:
        why = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
        report.mend("sellers", f"the sellers table cannot be read: {why}", "remove and add the seller again")
        return
    own = receivers.of_routes(() if snapshot is None else snapshot.routes, stack.facts.pay_to)
    for clash in receivers.shared(own, sellers):
        report.mend("sellers", clash, "choose another payTo, or run tollgate seller remove")
    names = ", ".join(seller.name for seller in sellers)
    report.ok("sellers", f"{names} may use this facilitator" if names else "nobody elsewhere uses this facilitator")


def _physical(stack: Stack, aws: Aws, logical: str) -> str:
    found: Any = aws.cloudformation.describe_stack_resource(StackName=stack.name, LogicalResourceId=logical)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
