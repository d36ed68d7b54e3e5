"""``tollgate analytics``: what routes earned, and whether the sums that say so are those of the books."""

import argparse
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate_cli import analytics_check
from tollgate_cli.aws import Aws, invoke
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import read_stack

_EPILOG = """\
examples:
  tollgate analytics show --stack tollgate                                      the last 30 days, by route
  tollgate analytics show --from 2026-11-01 --to 2026-11-30 --by day --stack tollgate
  tollgate analytics check --stack tollgate                                     do they equal the ledger?
"""
_COLUMNS = (("claimed", "claimed"), ("paid", "paid"), ("released", "not charged"), ("unpaid", "unpaid"))

_MEASURED = {
    "requests": "requests",
    "402s": "offers",
    "conversion": "conversion",
    "failures": "failures",
    "p50 ms": "p50Milliseconds",
    "p95 ms": "p95Milliseconds",
    "p99 ms": "p99Milliseconds",
}


def add_analytics_commands(groups: Any, common: argparse.ArgumentParser, stack: argparse.ArgumentParser) -> None:
    """Add ``analytics show|check``."""
    actions = groups.add_parser(
        "analytics",
        help="say what routes earned, and check the sums against the ledger",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        parents=[common, stack],
        help="say what routes earned",
        description="Paid calls and revenue, exact, by route, day or owner, always apart by network and token. A call"
        " counts on the day (UTC) on which it was paid, a reversal or refund on its own.",
    )
    show.add_argument("--from", dest="since", metavar="DAY", help="such as 2026-11-01 (UTC); 30 days by default")
    show.add_argument("--to", dest="until", metavar="DAY", help="the last day, itself included; today by default")
    show.add_argument("--by", default="route", metavar="GROUP,...", help="route, day, owner (default: route)")
    show.add_argument("--owner", metavar="0x...", help="only what was this owner's when it was claimed")
    show.set_defaults(command="analytics show")
    check = actions.add_parser(
        "check",
        parents=[common, stack],
        help="make the sums again from the ledger, and compare",
        description="Reads the whole payments table and compares every sum with the payments' histories, and their"
        " revenue with the books. Exit code 1 when they differ or something is not counted.",
    )
    check.add_argument("--apply", action="store_true", help="count what is missing first; nothing is counted twice")
    check.set_defaults(command="analytics check")


def run(args: argparse.Namespace, aws: Aws, now: int, progress: Progress) -> Result:
    """Run one of them."""
    if args.command == "analytics check":
        return analytics_check.check(args.stack, aws, now, progress, apply=args.apply)
    return _show(args, aws)


def _show(args: argparse.Namespace, aws: Aws) -> Result:
    stack = read_stack(aws.cloudformation, args.stack)
    if not stack.analytics_function:
        raise ConfigurationError(f"stack {stack.name} keeps no analytics yet: deploy this version of Tollgate to it")
    asked = {"op": "analytics", "from": args.since, "to": args.until, "by": args.by, "owner": args.owner}
    answer = invoke(aws.functions, stack.analytics_function, asked)
    if answer.pop("outcome") == "refused":
        return Result({"error": answer["sentence"]}, [], [answer["sentence"]], code=1)
    return Result(answer, [f"{answer['from']} to {answer['to']} (UTC)", *_table(answer), *_traffic(answer)])


def _table(answer: dict[str, Any]) -> list[str]:
    groups = [group for group in answer["by"] if group not in ("network", "asset")]
    counts = [title for _, title in _COLUMNS]
    head = [*groups, "network", "token", *counts, "revenue", "reversed", "refunded", "credited"]
    rows = [head] + [_cells(row, groups) for row in answer["rows"]]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    words = len(groups) + 2
    if not answer["rows"]:
        return ["nothing was claimed or paid"]
    return ["  ".join(_aligned(row, widths, words)).rstrip() for row in rows]


def _traffic(answer: dict[str, Any]) -> list[str]:
    """What is measured, "-" where nothing is known of it."""
    if not answer["traffic"]:
        return []
    rows = [["route", *_MEASURED]]
    for told in answer["traffic"]:
        rows.append([told["route"], *("-" if told[name] is None else str(told[name]) for name in _MEASURED.values())])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["", *("  ".join(_aligned(row, widths, 1)).rstrip() for row in rows)]


def _aligned(row: list[str], widths: list[int], words: int) -> list[str]:
    """Words to the left, numbers to the right."""
    cells = zip(row, widths, strict=True)
    return [cell.ljust(width) if at < words else cell.rjust(width) for at, (cell, width) in enumerate(cells)]


def _cells(row: dict[str, Any], groups: list[str]) -> list[str]:
    named = [str(row[group]) or "-" for group in groups]
    token = row["symbol"] or row["asset"]
    money = [row["revenue"], row["reversed"], row["refunded"], row["credited"]]
    return [*named, row["network"], token, *(str(row[name]) for name, _ in _COLUMNS), *map(_amount, money)]


def _amount(told: dict[str, Any]) -> str:
    return str(told["decimal"] if told["decimal"] is not None else told["amount"])
