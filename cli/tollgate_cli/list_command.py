"""``tollgate payments list``: anybody's payments, by the filters of ``GET /x402/payments``, as a table, JSON or CSV."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from tollgate.errors import ConfigurationError
from tollgate.gateway.history_csv import csv_lines
from tollgate.gateway.history_query import STATES, read_moment
from tollgate.gateway.payment_view import view, word_of
from tollgate.ledger.dynamo import Table, from_dynamo
from tollgate.ledger.history import FOR_EVER, History, Listing, Side
from tollgate.ledger.payment_items import listed_at, read_payment
from tollgate.payment.record import Payment
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate_cli.ages import age, moment
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import Stack, read_stack

T = TypeVar("T")
_PAGE = 200


def add_list(actions: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Add ``payments list``."""
    found = actions.add_parser(
        "list",
        parents=parents,
        help="list payments, the newest first: any payer's, owner's or route's",
        description="Lists payments, the newest first, that all filters admit. With --payer, --owner or"
        " --transaction it reads an index; without, the whole table.",
    )
    time = _as("a day, an RFC 3339 time or Unix seconds", read_moment)
    whose = found.add_mutually_exclusive_group()
    whose.add_argument("--payer", type=_as("an address", Address.parse), metavar="0x...", help="who paid")
    whose.add_argument(
        "--owner",
        type=_as("an address", Address.parse),
        metavar="0x...",
        help="whose route it was when it was paid for",
    )
    found.add_argument("--route", metavar="ID", help="the route's id, as routes plan prints it")
    found.add_argument(
        "--status",
        type=_as("states, separated by commas", _words),
        metavar="STATE,...",
        help=f"any of {', '.join(STATES)}",
    )
    found.add_argument("--network", type=_as("a CAIP-2 id", Network.parse), metavar="CAIP2", help="such as eip155:8453")
    found.add_argument(
        "--from", dest="since", type=time, default=0, metavar="TIME", help="a day (UTC), RFC 3339, or Unix seconds"
    )
    found.add_argument(
        "--to", dest="until", type=time, default=FOR_EVER, metavar="TIME", help="the same; not itself included"
    )
    found.add_argument(
        "--transaction",
        type=_as("a transaction's hash", Bytes32.parse),
        metavar="0x...",
        help="what this transaction paid",
    )
    found.add_argument(
        "--limit", type=_as("a whole number over 0", _count), metavar="N", help="at most so many (100; with --csv all)"
    )
    found.add_argument("--csv", action="store_true", help="print CSV, as GET /x402/payments exports it")
    found.set_defaults(command="payments list")


def listed(args: argparse.Namespace, aws: Aws, now: int, progress: Progress) -> Result:
    """What the filters admit. Raises ``ConfigurationError`` for filters that contradict each other."""
    if args.since > args.until:
        raise ConfigurationError("--from must not be after --to")
    stack = read_stack(aws.cloudformation, args.stack)
    admitted = (p for p in _candidates(args, stack, aws, progress) if _admits(args, p))
    limit = args.limit or (None if args.csv else 100)
    payments = list(islice(admitted, limit))
    more = limit is not None and next(admitted, None) is not None
    warnings = [f"there are more than {limit}: give --limit, --from and --to"] if more else []
    document = {"payments": [view(payment) for payment in payments], "more": more}
    if args.csv:
        return Result(document, list(csv_lines(payments)), warnings)
    lines = [_line(payment, now) for payment in payments]
    return Result(document, lines or ["no payment that these filters admit"], warnings)


def _candidates(args: argparse.Namespace, stack: Stack, aws: Aws, progress: Progress) -> Iterator[Payment]:
    history = History(Table(aws.dynamodb, stack.payments_table))
    if args.transaction is not None:
        yield from history.of_transaction(str(args.transaction))
    elif args.payer is not None or args.owner is not None:
        side, who = (Side.PAYER, args.payer) if args.payer is not None else (Side.OWNER, args.owner)
        network = None if args.network is None else str(args.network)
        yield from _pages(history, Listing(side, who.lower, args.since, args.until, network, args.route))
    else:
        progress("reading the whole payments table")
        yield from sorted(_scanned(stack, aws), key=lambda p: listed_at(p.claim.claimed_at, p.id.digest), reverse=True)


def _pages(history: History, listing: Listing) -> Iterator[Payment]:
    before = None
    while True:
        page = history.page(listing, None, _PAGE, before)
        yield from page.payments
        before = page.next
        if before is None:
            return


def _scanned(stack: Stack, aws: Aws) -> Iterator[Payment]:
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.payments_table,
        ConsistentRead=True,
        FilterExpression="begins_with(pk, :payment)",
        ExpressionAttributeValues={":payment": {"S": "PAY#"}},
    )
    for page in pages:
        yield from (read_payment(from_dynamo(raw)) for raw in page["Items"])


def _admits(args: argparse.Namespace, payment: Payment) -> bool:
    claim = payment.claim
    return (
        args.payer in (None, payment.id.payer)
        and args.owner in (None, claim.route_owner)
        and args.route in (None, claim.route)
        and args.network in (None, payment.id.network)
        and args.since <= claim.claimed_at < args.until
        and (args.status is None or word_of(payment)[0] in args.status)
    )


def _line(payment: Payment, now: int) -> str:
    claim = payment.claim
    amount = money(claim.authorization.value, payment.id)
    when = f"{moment(claim.claimed_at)} ({age(now - claim.claimed_at)} ago)"
    return f"{payment.id.digest}  {word_of(payment)[0]:<18}  {amount}  {claim.route}  {payment.id.payer}  {when}"


def _as(what: str, parse: Callable[[str], T]) -> Callable[[str], T]:
    """For argparse: what is wrong, in a sentence."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} must be {what}") from error

    return read


def _words(text: str) -> frozenset[str]:
    words = frozenset(text.split(","))
    if not words <= set(STATES):
        raise ValueError(text)
    return words


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count
