"""``tollgate routes history``: who changed which routes, and when."""

from typing import Any

from tollgate.gateway.declaring.changes import Change
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.revisions import Revision
from tollgate_cli.ages import moment
from tollgate_cli.aws import Aws
from tollgate_cli.result import Result
from tollgate_cli.stack import read_stack


def history(stack_name: str, aws: Aws, *, before: int | None, limit: int) -> Result:
    """The newest ``limit`` revisions (at most 100) of those older than version ``before``."""
    stack = read_stack(aws.cloudformation, stack_name)
    table = RoutesTable(aws.dynamodb, stack.routes_table, ())
    newest = table.load().version if before is None else before - 1
    asked = range(newest, max(0, newest - limit), -1)
    found = table.revisions(asked)
    lines = [line for revision in found for line in _lines(revision)]
    if len(found) < len(asked):
        lines.append("before that no record was kept")
    elif asked and asked[-1] > 1:
        lines.append(f"older: tollgate routes history --before {asked[-1]} --stack {stack.name}")
    if not asked:
        lines = [f"nothing was ever applied to {stack.name}" if before is None else "there is nothing older"]
    return Result({"stack": stack.name, "revisions": [_document(revision) for revision in found]}, lines)


def _lines(revision: Revision) -> list[str]:
    changes = (Change(change.kind, change.route, change.fields) for change in revision.changes)
    head = f"version {revision.version}, {moment(revision.at)}, by {revision.actor}"
    return [head, *(f"    {line}" for change in changes for line in change.lines())]


def _document(revision: Revision) -> dict[str, Any]:
    return {
        "version": revision.version,
        "at": revision.at,
        "actor": revision.actor,
        "changes": [
            Change(change.kind, change.route, change.fields).to_json()
            | {"id": change.id, "owner": None if change.owner is None else str(change.owner)}
            for change in revision.changes
        ],
    }
