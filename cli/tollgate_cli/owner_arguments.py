"""The arguments of ``tollgate owner``."""

import argparse
from typing import Any

from tollgate.payment.owners import LEAST_PRICE, MAX_ROUTES
from tollgate.payment.routes import MAX_FEE_BPS

_EPILOG = """\
examples:
  tollgate owner set 0x... --path /acme --fee-bps 250 --stack tollgate   may register routes below /acme, owes you 2.5 %
  tollgate owner list --stack tollgate                                   who may, where, and what each owes you
  tollgate owner remove 0x... --stack tollgate                           takes the wallet and its routes away, at once

Owners register their routes themselves, at /x402/admin/ (docs/owners.md). An owner's secrets are those whose names
start with the stack's UpstreamSecretPrefix and owners/ADDRESS/, in small letters.
"""


def add_owner_commands(groups: Any, common: argparse.ArgumentParser, stack: argparse.ArgumentParser) -> None:
    """Add ``owner set|list|remove`` to the parser's command groups."""
    actions = groups.add_parser(
        "owner",
        help="let wallets register routes of their own on the stack",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(metavar="ACTION", required=True)
    who = argparse.ArgumentParser(add_help=False)
    who.add_argument("address", metavar="0x...", help="the wallet that signs in")

    make = actions.add_parser(
        "set",
        parents=[common, stack, who],
        help="let a wallet register routes, or change on which terms",
        description="All terms at once: what is not said is as for a new owner. A fee holds for what is bought from"
        " then on, within a minute, also of the routes that there are.",
    )
    make.add_argument("--path", required=True, metavar="/acme", help="what all paths of its routes begin with")
    make.add_argument(
        "--pay-to",
        action="append",
        default=[],
        metavar="0x...",
        help="who may be paid (itself); again for more",
    )
    make.add_argument(
        "--fee-bps",
        type=int,
        choices=range(MAX_FEE_BPS + 1),
        default=0,
        metavar="N",
        help="what it owes you of each payment, in hundredths of a percent (0)",
    )
    make.add_argument(
        "--min-price",
        default=LEAST_PRICE,
        metavar="DOLLARS",
        help=f"its least price, in single quotes ('{LEAST_PRICE}'): your relayer pays the gas of each settlement",
    )
    make.add_argument(
        "--max-routes", type=int, choices=range(1, MAX_ROUTES + 1), default=20, metavar="N", help="how many routes (20)"
    )
    make.add_argument(
        "--function",
        action="append",
        default=[],
        metavar="NAME",
        help="a Lambda function that it may sell; more: again",
    )
    make.set_defaults(command="owner set")

    listed = actions.add_parser("list", parents=[common, stack], help="print the owners and their terms")
    listed.set_defaults(command="owner list")

    remove = actions.add_parser(
        "remove", parents=[common, stack, who], help="take an owner away, and the routes that it registered"
    )
    remove.set_defaults(command="owner remove")
