"""``tollgate routes check``, ``plan`` and ``apply``. What owners registered themselves a file leaves alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.gateway.catalogue import CACHE_SECONDS, Catalogue, merge
from tollgate.gateway.declaring.changes import Change, changes, jumps, of_record, still_accepted
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.path_pattern import PathPattern
from tollgate.ledger.dynamo import TransactionCancelled
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.networks import network_info
from tollgate.payment.routes import Route, Snapshot
from tollgate_cli import receivers
from tollgate_cli.aws import Aws, FunctionFailed, invoke
from tollgate_cli.result import Progress, Result
from tollgate_cli.routes_file import read_routes_file
from tollgate_cli.stack import Stack, read_stack


def check(path: Path, facts: StackFacts) -> Result:
    """Check a file; nothing is written. Raises ``WrongFile``."""
    read = read_routes_file(path, facts)
    count = len(read.routes)
    against = "" if facts.named else " (without --stack: what only a stack can decide is not checked)"
    document: dict[str, Any] = {
        "file": str(path),
        "ok": True,
        "routes": count,
        "notes": [note.to_json() for note in read.notes],
    }
    lines = [f"{path}: {count} {'route' if count == 1 else 'routes'}, no problems{against}"]
    return Result(document, lines, warnings=[f"note: {note.text(str(path))}" for note in read.notes])


def apply(
    path: Path,
    stack_name: str,
    aws: Aws,
    now: int,
    progress: Progress,
    *,
    dry_run: bool,
    version: int | None = None,
) -> Result:
    """Make the stack serve the file's routes. Raises ``WrongFile``: then nothing is written.

    ``version``: which version of the stack's routes a plan was made for; on any other nothing is written.
    """
    stack = read_stack(aws.cloudformation, stack_name)
    read = read_routes_file(path, stack.facts)
    networks = [info.network for info in stack.facts.networks]
    table = RoutesTable(aws.dynamodb, stack.routes_table, networks)
    current = table.load()
    registered = [route for route in current.routes if route.revision]
    if taken := _taken(read.routes, registered):
        todo = "nothing was written: give it another path or id, or have tollgate owner remove them"
        return Result({"stack": stack.name, "error": "; ".join(taken)}, [], [*taken, todo], code=1)
    merged = merge(current.routes, [*read.routes, *registered], now)
    Catalogue(Snapshot(merged))
    changed = changes(current.routes, merged)
    accepted = still_accepted(merged, now) if changed else []
    warnings = jumps(current.routes, merged)
    lines = [line for change in changed for line in change.lines()] + accepted
    document: dict[str, Any] = {
        "stack": stack.name,
        "changes": [change.to_json() for change in changed],
        "stillAccepted": accepted,
        "applied": False,
        "version": current.version,
        "warnings": warnings,
    }
    if version not in (None, current.version):
        sentence = f"the plan was for version {version}, and {stack.name} serves version {current.version} by now"
        return Result(document | {"error": sentence}, lines, [f"{sentence}; nothing was written: plan again"], code=1)
    clashes = receivers.shared(receivers.of_routes(merged, stack.facts.pay_to), receivers.sellers_of(stack, aws))
    if clashes:
        todo = "nothing was written: choose another payTo, or remove the seller with tollgate seller remove"
        return Result(document | {"error": "; ".join(clashes)}, [], [*clashes, todo], code=1)
    if dry_run:
        return Result(document, [*lines, *_planned(path, stack, changed, current.version)], warnings)
    if changed:
        try:
            document["version"] = table.replace(
                merged, current.version, now, operator(aws), of_record(current.routes, merged)
            )
        except TransactionCancelled:
            sentence = "somebody else applied routes at the same moment; nothing was written, run it again"
            return Result(document | {"error": sentence}, [], [sentence], code=1)
        document["applied"] = True
        lines.append(f"applied {_count(len(changed))} to {stack.name}; seen within {CACHE_SECONDS} s")
    else:
        lines.append(f"{stack.name} serves these routes already")
    document["relayers"], more = _relayers(stack, aws, table, progress)
    warnings += more
    return Result(document, lines, warnings)


def operator(aws: Aws) -> str:
    """Whom AWS knows the one who types as; it is kept with every change."""
    try:
        return str(aws.client("sts").get_caller_identity()["Arn"]) if aws.client else "operator"
    except (BotoCoreError, ClientError):
        return "operator"


def _taken(file: Sequence[Route], registered: Sequence[Route]) -> list[str]:
    """A sentence for every route of the file that stands where an owner's does."""
    found: list[str] = []
    for theirs in registered:
        place = (theirs.method, PathPattern.parse(theirs.pattern).shape)
        for route in file:
            if route.id == theirs.id or place == (route.method, PathPattern.parse(route.pattern).shape):
                found.append(
                    f"{route.method} {route.pattern} is in the place of {theirs.method} {theirs.pattern} ({theirs.id}),"
                    f" which its owner {theirs.owner} registered"
                )
    return found


def _relayers(stack: Stack, aws: Aws, table: RoutesTable, progress: Progress) -> tuple[list[dict[str, Any]], list[str]]:
    """Have the relayers checked now, not in a minute, and say which cannot pay for gas."""
    progress(f"checking the relayers of {stack.name}")
    warnings: list[str] = []
    try:
        invoke(aws.functions, stack.reconcile_function, {})
    except (FunctionFailed, BotoCoreError, ClientError) as error:
        warnings.append(f"the routes stand, but the relayers could not be checked: {error}")
    snapshot = table.load()
    found: list[dict[str, Any]] = []
    for info in stack.facts.networks:
        status = snapshot.status(info.network)
        if status is None:
            warnings.append(f"{info.name}: nothing is known of its relayers yet")
            continue
        addresses = [str(address) for address in status.relayers]
        found.append({"network": str(info.network), "relayers": addresses, "hasGas": status.has_gas})
        if not status.has_gas:
            name = network_info(info.network).name
            mend = (
                f"{stack.facilitator_url} does not settle there, or the secret with its headers is unusable"
                if stack.facilitator_url
                else f"send gas to its relayer {' or '.join(addresses)}"
            )
            warnings.append(f"{name} is left out of the offers: {mend}")
    return found, warnings


def _planned(path: Path, stack: Stack, changed: Sequence[Change], version: int) -> list[str]:
    if not changed:
        return [f"{stack.name} serves these routes already"]
    sums = (f"{sum(change.kind == kind for change in changed)} to {kind}" for kind in ("add", "change", "remove"))
    return [
        f"plan: {', '.join(sums)}; nothing was written. To do just this:",
        f"    tollgate routes apply {path} --stack {stack.name} --version {version}",
    ]


def _count(changed: int) -> str:
    return "1 change" if changed == 1 else f"{changed} changes"
