"""Price the routes of a deployed stack, see that it is well, and look after its relayers and payments."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.errors import TollgateError
from tollgate.gateway.declaring.facts import stand_in
from tollgate.gateway.declaring.problems import WrongFile
from tollgate_cli import (
    analytics_command,
    history_command,
    owner_command,
    payment_arguments,
    receipt_command,
    relayer_command,
    routes_commands,
    seller_command,
)
from tollgate_cli.aws import Aws, connect
from tollgate_cli.doctor import doctor
from tollgate_cli.owner_arguments import add_owner_commands
from tollgate_cli.payment_arguments import add_payment_commands
from tollgate_cli.result import Result
from tollgate_cli.routes_list import list_routes
from tollgate_cli.seller_arguments import add_seller_commands
from tollgate_cli.stack import read_stack

_EPILOG = """\
examples:
  tollgate routes check routes.yaml                     what is wrong with the file, line by line
  tollgate routes plan routes.yaml --stack tollgate     what an apply would add, change and remove
  tollgate routes apply routes.yaml --stack tollgate    make the stack serve it; buyers see it within a minute
  tollgate doctor --stack tollgate                      what is wrong with the stack, and what to do
  tollgate relayer --stack tollgate                     who signs, and what gas they have
  tollgate payments stuck --stack tollgate              what waits, why, and what to do about it
  tollgate payments show 5f3a9c12 --stack tollgate      a payment's history; tollgate payments --help has more
  tollgate receipts --help                              sign a payment's receipt, verify one offline
  tollgate analytics show --stack tollgate              what each route earned in the last 30 days
  tollgate seller --help                                let others settle their payments through this stack

Region, credentials and endpoint come from the usual AWS environment: AWS_REGION, AWS_PROFILE,
AWS_ENDPOINT_URL and so on.
Exit codes: 0 done, 1 refused or failed (standard error says why), 2 wrong usage.
"""


def main(
    argv: Sequence[str] | None = None,
    connect: Callable[[], Aws] = connect,
    clock: Callable[[], float] = time.time,
) -> int:
    """Run one command and return its exit code."""
    args = _parser().parse_args(argv)
    try:
        result = _run(args, connect, clock)
    except WrongFile as wrong:
        document: dict[str, Any] = {
            "file": wrong.file,
            "ok": False,
            "problems": [problem.to_json() for problem in wrong.problems],
        }
        result = Result(document, [], [str(wrong)], code=1)
    except (TollgateError, BotoCoreError, ClientError) as error:
        result = Result({"error": str(error)}, [], [str(error)], code=1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    for warning in result.warnings:
        print(warning, file=sys.stderr)
    if args.json:
        print(json.dumps(result.document, indent=2))
    elif result.lines:
        print("\n".join(result.lines))
    return result.code


def _run(args: argparse.Namespace, connect: Callable[[], Aws], clock: Callable[[], float]) -> Result:
    now = int(clock())
    match args.command:
        case "routes check" | "routes plan" | "routes apply" | "routes list" | "routes history":
            return _routes(args, connect, now)
        case "doctor":
            return doctor(args.stack, connect(), clock, _progress)
        case "relayer":
            return relayer_command.relayer(args.stack, connect(), _progress)
        case "receipts show":
            return receipt_command.show(args.id, args.stack, connect(), _progress, check_chain=args.check_chain)
        case "receipts verify":
            return receipt_command.verify_file(args.file, args.signer)
        case "owner set" | "owner list" | "owner remove":
            return owner_command.run(args, connect(), now)
        case "analytics show" | "analytics check":
            return analytics_command.run(args, connect(), now, _progress)
        case "seller add" | "seller list" | "seller rotate" | "seller remove":
            return seller_command.run(args, connect())
        case _:
            return payment_arguments.run(args, connect(), now, _progress)


def _routes(args: argparse.Namespace, connect: Callable[[], Aws], now: int) -> Result:
    match args.command:
        case "routes check":
            facts = read_stack(connect().cloudformation, args.stack).facts if args.stack else stand_in()
            return routes_commands.check(args.file, facts)
        case "routes plan":
            return routes_commands.apply(args.file, args.stack, connect(), now, _progress, dry_run=True)
        case "routes apply":
            return routes_commands.apply(
                args.file, args.stack, connect(), now, _progress, dry_run=args.dry_run, version=args.version
            )
        case "routes list":
            return list_routes(args.stack, connect(), now)
        case _:
            return history_command.history(args.stack, connect(), before=args.before, limit=args.limit)


def _progress(line: str) -> None:
    print(f"{line} ...", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="tollgate", description=__doc__, epilog=_EPILOG, formatter_class=formatter, allow_abbrev=False
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    stack = argparse.ArgumentParser(add_help=False)
    stack.add_argument("--stack", required=True, metavar="NAME", help="the CloudFormation stack's name")
    groups = parser.add_subparsers(metavar="COMMAND", required=True)

    routes = groups.add_parser(
        "routes", help="check, plan and apply a routes.yaml", epilog=_EPILOG, formatter_class=formatter
    ).add_subparsers(metavar="ACTION", required=True)
    check = routes.add_parser("check", parents=[common], help="say everything that is wrong with a file")
    check.add_argument("file", type=Path, metavar="FILE", help="the routes.yaml")
    check.add_argument("--stack", metavar="NAME", help="check against this stack's networks and parameters too")
    check.set_defaults(command="routes check")
    plan = routes.add_parser(
        "plan",
        parents=[common, stack],
        help="show what an apply would change, and write nothing",
        description="Shows the routes that an apply would add, change and remove, for how long prices that end would"
        " stay acceptable, and prices that jump. Its last line applies this plan, and only while the stack serves what"
        " it was made for.",
    )
    plan.add_argument("file", type=Path, metavar="FILE", help="the routes.yaml")
    plan.set_defaults(command="routes plan")
    apply = routes.add_parser(
        "apply",
        parents=[common, stack],
        help="make a stack serve a file, all of it or nothing",
        description="Shows what changes, then replaces the stack's routes at once. Prices that end stay"
        " acceptable for 60 s plus their maxTimeoutSeconds. A file with any problem changes nothing.",
    )
    apply.add_argument("file", type=Path, metavar="FILE", help="the routes.yaml")
    apply.add_argument(
        "--dry-run", action="store_true", help="show what would change and stop, like tollgate routes plan"
    )
    apply.add_argument(
        "--version",
        type=int,
        metavar="N",
        help="only if the stack's routes are this version, which a plan was made for",
    )
    apply.set_defaults(command="routes apply")

    listing = routes.add_parser(
        "list",
        parents=[common],
        help="list what the stack sells, and whether what is behind it answered",
        description="One line a route: price, upstream, and whether it was up when reconcile last looked at it.",
    )
    listing.add_argument("--stack", required=True, metavar="NAME", help="the CloudFormation stack")
    listing.set_defaults(command="routes list")
    history = routes.add_parser(
        "history",
        parents=[common, stack],
        help="show who changed which routes, and when",
        description="Each version of the stack's routes, the newest first: who made it, when, and what it changed."
        " An owner who signed in is an address, an operator whom AWS knows them as.",
    )
    history.add_argument("--before", type=int, metavar="N", help="versions older than N")
    history.add_argument("--limit", type=int, default=20, choices=range(1, 101), metavar="N", help="how many (20)")
    history.set_defaults(command="routes history")

    examine = groups.add_parser(
        "doctor",
        parents=[common, stack],
        help="check a deployed stack and say what to do about each finding",
        description="Checks parameters, keys, gas, fees, RPC endpoints, EIP-712 domains, clocks, routes, upstreams,"
        " the public URL, receipts, reconcile, dead letters, sellers and another facilitator. Changes nothing, pays"
        " nothing. Exit code 1 when something must be mended.",
    )
    examine.set_defaults(command="doctor")

    relayer = groups.add_parser(
        "relayers", aliases=["relayer"], parents=[common, stack], help="print the relayers' addresses and gas balances"
    )
    relayer.set_defaults(command="relayer")

    add_owner_commands(groups, common, stack)
    add_seller_commands(groups, common, stack)
    add_payment_commands(groups, common, stack)
    receipt_command.add_receipt_commands(groups, common, stack)
    analytics_command.add_analytics_commands(groups, common, stack)
    return parser
