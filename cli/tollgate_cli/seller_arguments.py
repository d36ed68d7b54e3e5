"""The arguments of ``tollgate seller``."""

import argparse
from typing import Any

_EPILOG = """\
examples:
  tollgate seller add tea-shop --pay-to 0x... --allow 'base:USDC:$0.10' --settlements-per-day 1000 --stack tollgate
  tollgate seller list --stack tollgate                 who may use the stack as a facilitator, and for what
  tollgate seller rotate tea-shop --stack tollgate      a second key; later: rotate --drop-others, or remove

A key is shown once, when it is made; the stack keeps its SHA-256 only.
"""


def add_seller_commands(groups: Any, common: argparse.ArgumentParser, stack: argparse.ArgumentParser) -> None:
    """Add ``seller add|list|rotate|remove`` to the parser's command groups."""
    actions = groups.add_parser(
        "seller",
        help="let sellers elsewhere use the stack as their facilitator",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(metavar="ACTION", required=True)
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument(
        "name", metavar="NAME", help="lower-case letters, digits and inner hyphens; it is part of the key"
    )

    add = actions.add_parser("add", parents=[common, stack, name], help="add a seller and print its key, once")
    add.add_argument(
        "--pay-to", action="append", required=True, metavar="0x...", help="who may be paid; again for more"
    )
    add.add_argument(
        "--allow",
        action="append",
        required=True,
        metavar="NETWORK:ASSET:MAX",
        help="a token it may be paid in and the most per payment, such as 'base:USDC:$0.10', or in atomic units"
        " 'eip155:8453:USDC:100000'; again for more",
    )
    add.add_argument(
        "--settlements-per-day",
        type=_count,
        required=True,
        metavar="N",
        help="how many payments may be settled on one UTC day: each costs the relayer gas",
    )
    add.set_defaults(command="seller add")

    listed = actions.add_parser("list", parents=[common, stack], help="print the sellers, without keys or hashes")
    listed.set_defaults(command="seller list")

    rotate = actions.add_parser(
        "rotate", parents=[common, stack, name], help="give a seller one more key, printed once"
    )
    rotate.add_argument("--drop-others", action="store_true", help="refuse its other keys from now on")
    rotate.set_defaults(command="seller rotate")

    remove = actions.add_parser("remove", parents=[common, stack, name], help="forget a seller and refuse its keys")
    remove.set_defaults(command="seller remove")


def _count(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else 0
    if not 0 < value < 10**9:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 999999999")
    return value
