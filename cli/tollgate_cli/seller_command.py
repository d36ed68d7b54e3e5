"""``tollgate seller``: who may use this stack as a facilitator, for what, and with which key."""

import argparse
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from tollgate.errors import ConfigurationError
from tollgate.ledger.dynamo import ConditionFailed
from tollgate.ledger.owners import OwnersTable
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.sellers import SellersTable
from tollgate.payment.networks import network_info
from tollgate.payment.sellers import Allowance, Seller, check_name, key_hash
from tollgate.wire.primitives import Address
from tollgate_cli import receivers
from tollgate_cli.aws import Aws
from tollgate_cli.result import Result
from tollgate_cli.seller_terms import format_allowance, parse_allowance
from tollgate_cli.stack import Stack, read_stack

_T = TypeVar("_T")

# Two are enough to change from one to the other; more are keys that nobody remembers.
MOST_KEYS = 4
_ONCE = "its key, which is shown only now:"


def run(args: argparse.Namespace, aws: Aws) -> Result:
    """One ``seller`` command. Raises ``ConfigurationError`` for what is wrong or not there."""
    stack = read_stack(aws.cloudformation, args.stack)
    if not stack.sellers_table:
        raise ConfigurationError(f"stack {stack.name} has no SellersTableName: deploy this version of Tollgate first")
    table = SellersTable(aws.dynamodb, stack.sellers_table)
    match args.command:
        case "seller add":
            return _add(args, stack, table, _receiver(stack, aws))
        case "seller rotate":
            return _rotate(args.name, table, drop_others=args.drop_others)
        case "seller remove":
            return _remove(args.name, table)
        case _:
            return _list(stack, table)


def _add(args: argparse.Namespace, stack: Stack, table: SellersTable, receiver: Callable[[str], Address]) -> Result:
    pay_to = tuple(_each("--pay-to", args.pay_to, receiver))
    allowances = tuple(_each("--allow", args.allow, lambda text: parse_allowance(text, stack.facts)))
    if len({(a.network, a.asset) for a in allowances}) < len(allowances):
        raise ConfigurationError("--allow names one token on one network twice")
    key = _new_key(args.name)
    seller = Seller(args.name, pay_to, allowances, args.settlements_per_day, (key_hash(key),))
    try:
        table.add(seller)
    except ConditionFailed as taken:
        raise ConfigurationError(f"there is a seller {args.name} already; rotate gives it another key") from taken
    lines = [f"{args.name} may use {stack.name} as its facilitator", *_lines(seller), _ONCE, key]
    return Result(_document(seller) | {"key": key}, lines)


def _rotate(name: str, table: SellersTable, *, drop_others: bool) -> Result:
    found = table.load(_named(name))
    if found is None:
        raise ConfigurationError(f"there is no seller {name}")
    seller, read = found
    key = _new_key(name)
    kept = () if drop_others else seller.key_hashes
    if len(kept) >= MOST_KEYS:
        raise ConfigurationError(f"{name} has {len(kept)} keys already: rotate with --drop-others, or remove it")
    seller = replace(seller, key_hashes=(*kept, key_hash(key)))
    try:
        table.replace(seller, read)
    except ConditionFailed as lost:
        raise ConfigurationError(f"somebody else changed {name} at the same moment: nothing was written") from lost
    before = "its other keys are refused from now on" if drop_others else "its other keys still work"
    return Result(_document(seller) | {"key": key}, [f"{name} has a new key; {before}", _ONCE, key])


def _remove(name: str, table: SellersTable) -> Result:
    if not table.remove(_named(name)):
        raise ConfigurationError(f"there is no seller {name}")
    return Result({"seller": name, "removed": True}, [f"{name} is removed; its keys are refused from now on"])


def _list(stack: Stack, table: SellersTable) -> Result:
    sellers = table.all()
    lines: list[str] = []
    for seller in sellers:
        lines += [seller.name, *_lines(seller)]
    if not sellers:
        lines = [f"{stack.name} is nobody's facilitator: verify and settle answer 401 to everyone"]
    return Result({"stack": stack.name, "sellers": [_document(seller) for seller in sellers]}, lines)


def _receiver(stack: Stack, aws: Aws) -> Callable[[str], Address]:
    tokens = {asset.address for info in stack.facts.networks for asset in info.assets}
    routes = RoutesTable(aws.dynamodb, stack.routes_table, ()).load().routes
    own = receivers.of_routes(routes, stack.facts.pay_to)
    # Those who may register routes will be paid there.
    own |= {address for row in OwnersTable(aws.dynamodb, stack.routes_table).all() for address in row.owner.pay_to}

    def parse(text: str) -> Address:
        address = Address.parse(text)
        if address.raw == bytes(20):
            raise ValueError("is the zero address")
        if address in tokens:
            raise ValueError("is a token itself: money sent there is lost")
        if address in own:
            raise ValueError("is where this stack's own routes are paid: a seller elsewhere needs another address")
        return address

    return parse


def _each(option: str, texts: list[str], parse: Callable[[str], _T]) -> list[_T]:
    out: list[_T] = []
    for text in texts:
        try:
            out.append(parse(text))
        except (ValueError, ConfigurationError) as error:
            raise ConfigurationError(f"{option} {text}: {error}") from error
    return out


def _named(name: str) -> str:
    try:
        return check_name(name)
    except ValueError as error:
        raise ConfigurationError(f"a seller's name {error}") from error


def _new_key(name: str) -> str:
    return f"tg_{_named(name)}_{secrets.token_urlsafe(32)}"


def _document(seller: Seller) -> dict[str, Any]:
    return {
        "seller": seller.name,
        "payTo": [str(address) for address in seller.pay_to],
        "allow": [_allowance(a) for a in seller.allowances],
        "settlementsPerDay": seller.settlements_per_day,
        "keys": len(seller.key_hashes),
    }


def _allowance(allowance: Allowance) -> dict[str, str]:
    return {
        "network": str(allowance.network),
        "asset": str(allowance.asset),
        "maxAmount": str(allowance.max_amount),
    }


def _lines(seller: Seller) -> list[str]:
    keys = "1 key" if len(seller.key_hashes) == 1 else f"{len(seller.key_hashes)} keys"
    return [
        *(f"    paid to {address}" for address in seller.pay_to),
        *(f"    in {format_allowance(a, network_info(a.network))}" for a in seller.allowances),
        f"    {seller.settlements_per_day} settlements a day, {keys}",
    ]
