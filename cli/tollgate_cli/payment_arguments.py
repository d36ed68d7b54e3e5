"""The arguments of ``tollgate payments``, and which command each runs."""

import argparse
from typing import Any

from tollgate_cli import discrepancy_command, list_command, payment_command, refund_command, stuck_command
from tollgate_cli.aws import Aws
from tollgate_cli.credit_command import credited
from tollgate_cli.owe_command import owe
from tollgate_cli.result import Progress, Result

_EPILOG = """\
examples:
  tollgate payments show 5f3a9c12 --stack tollgate      a payment's history, by its id or 8 digits of it
  tollgate payments show 0x... --stack tollgate         by a transaction, or all of a payer's
  tollgate payments list --status refund_due --from 2026-11-01 --csv --stack tollgate
                                                        any payer's, owner's or route's, as a table, JSON or CSV
  tollgate payments stuck --stack tollgate              what waits, why, and what to do
  tollgate payments discrepancies --stack tollgate      where chain and books differ
  tollgate payments refunded 5f3a... --transaction 0x... --stack tollgate
                                                        what was owed was sent back
"""
_ID = "the payment's id (64 hex digits), or network#asset#payer#nonce"


def add_payment_commands(groups: Any, common: argparse.ArgumentParser, stack: argparse.ArgumentParser) -> None:
    """Add ``payments show|list|stuck|unpark|discrepancies|dismiss|owe|refunded|credited``, and ``payment`` for it."""
    actions = groups.add_parser(
        "payments",
        aliases=["payment"],
        help="see what became of payments, what waits and why, and write refunds down",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(metavar="ACTION", required=True)
    both = [common, stack]

    show = actions.add_parser(
        "show",
        parents=both,
        help="print a payment's history, state, receipt, debt or liability, and settlement",
        description="Prints what the ledgers know of a payment. Signatures, signed bytes, paid"
        " bodies and the buyer's identifier are never printed.",
    )
    show.add_argument(
        "id",
        metavar="ID|TRANSACTION|PAYER",
        help="the payment's id (64 hex digits, or 8 and more of its first), network#asset#payer#nonce, a transaction"
        " hash (0x and 64 hex digits), or a payer's address (0x and 40), which lists theirs",
    )
    show.set_defaults(command="payments show")

    list_command.add_list(actions, both)

    stuck = actions.add_parser(
        "stuck",
        parents=both,
        help="list what waits, why, and what to do about it",
        description="Lists every payment that is neither at its end nor just begun, grouped by why it waits."
        " Exit code 1 when there is one.",
    )
    stuck.add_argument(
        "--scan", action="store_true", help="read the whole table, not the work list: for what the list has lost"
    )
    stuck.set_defaults(command="payments stuck")

    unpark = actions.add_parser(
        "unpark",
        parents=both,
        help="put back what reconcile gave up looking at",
        description="Puts a parked payment back on reconcile's list, after what it failed on was mended.",
    )
    unpark.add_argument("id", metavar="ID|all", help=f"{_ID}; or all that are parked")
    unpark.set_defaults(command="payments unpark")

    listed = actions.add_parser(
        "discrepancies",
        parents=both,
        help="list where chain and books differ",
        description="Lists transfers to your payTo that no payment explains, and receipts that no log explains."
        " Exit code 1 when one waits for you.",
    )
    listed.add_argument(
        "--all", action="store_true", dest="every", help="also what is too young to tell, and other money"
    )
    listed.set_defaults(command="payments discrepancies")

    dismiss = actions.add_parser(
        "dismiss",
        parents=both,
        help="write down why a discrepancy may stand",
        description="Takes a discrepancy off the list that rings DiscrepancyAlarm. It changes no payment.",
    )
    dismiss.add_argument("id", metavar="ID", help="as tollgate payments discrepancies prints it")
    dismiss.add_argument("--because", required=True, metavar="TEXT", help="who looked, and what it was")
    dismiss.set_defaults(command="payments dismiss")

    owe = actions.add_parser(
        "owe",
        parents=both,
        help="write down that what the authorizer let through was not delivered",
        description="Marks a GRANTED payment as REFUND_DUE: it is then sent back by the stack (Refunds=auto), or by you"
        " (payments refunded, payments credited).",
    )
    owe.add_argument("id", metavar="ID", help=_ID)
    owe.add_argument("--because", required=True, metavar="CODE", help="what went wrong, in one word: api_failed")
    owe.set_defaults(command="payments owe")

    refunded = actions.add_parser(
        "refunded",
        parents=both,
        help="write down that a PAID_UNSERVED or REFUND_DUE payment was sent back",
        description="Marks a PAID_UNSERVED or REFUND_DUE payment as REFUNDED and closes what is owed."
        " It moves no money and asks no chain: send the money back first, then say in which transaction.",
    )
    refunded.add_argument("id", metavar="ID", help=_ID)
    refunded.add_argument(
        "--transaction", required=True, metavar="0x...", help="the transaction that sent the money back"
    )
    refunded.set_defaults(command="payments refunded")

    credit = actions.add_parser(
        "credited",
        parents=both,
        help="write down that a REFUND_DUE payment was made good in another way",
        description="Marks a REFUND_DUE payment as CREDITED: by a voucher, say, not by a transfer.",
    )
    credit.add_argument("id", metavar="ID", help=_ID)
    credit.add_argument("--reference", required=True, metavar="WORD", help="what made it good, in one word: a ticket")
    credit.set_defaults(command="payments credited")


def run(args: argparse.Namespace, aws: Aws, now: int, progress: Progress) -> Result:
    """Run the command that was parsed; ``now`` is Unix seconds."""
    match args.command:
        case "payments list":
            return list_command.listed(args, aws, now, progress)
        case "payments stuck":
            return stuck_command.stuck(args.stack, aws, now, progress, scan=args.scan)
        case "payments unpark":
            return stuck_command.unpark(args.id, args.stack, aws, now)
        case "payments discrepancies":
            return discrepancy_command.listed(args.stack, aws, now, every=args.every)
        case "payments dismiss":
            return discrepancy_command.dismiss(args.id, args.because, args.stack, aws, now)
        case "payments owe":
            return owe(args.id, args.because, args.stack, aws, now)
        case "payments refunded":
            return refund_command.refunded(args.id, args.transaction, args.stack, aws, now)
        case "payments credited":
            return credited(args.id, args.reference, args.stack, aws, now)
        case _:
            return payment_command.show(args.id, args.stack, aws, now, progress)
