"""``tollgate owner``: which wallets may register routes of their own on this stack, where, and on which terms."""

import argparse
from dataclasses import dataclass, replace
from typing import Any

from tollgate.errors import ConfigurationError, LostRace
from tollgate.gateway.admin.owned import below, limits_of
from tollgate.gateway.catalogue import merge
from tollgate.gateway.declaring.changes import of_record
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node
from tollgate.gateway.declaring.upstream_functions import function_problem
from tollgate.gateway.path_pattern import PathPattern, is_reserved
from tollgate.gateway.pricing import parse_dollars
from tollgate.ledger.dynamo import Table
from tollgate.ledger.owners import OwnerRow, OwnersTable, put, remove
from tollgate.ledger.payment_items import fee_keys
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.function_names import FunctionName
from tollgate.payment.networks import NetworkInfo
from tollgate.payment.owners import Owner, check_path, overlap
from tollgate.payment.routes import FunctionTarget, Route
from tollgate.wire.primitives import Address, Network
from tollgate_cli import receivers
from tollgate_cli.aws import Aws
from tollgate_cli.money import amount
from tollgate_cli.result import Result
from tollgate_cli.routes_commands import operator
from tollgate_cli.stack import Stack, read_stack


def run(args: argparse.Namespace, aws: Aws, now: int) -> Result:
    """One ``owner`` command. Raises ``ConfigurationError`` for what is wrong or not there."""
    stack = read_stack(aws.cloudformation, args.stack)
    routes, owners = RoutesTable(aws.dynamodb, stack.routes_table, ()), OwnersTable(aws.dynamodb, stack.routes_table)
    try:
        match args.command:
            case "owner set":
                return _set(args, stack, aws, routes, owners, now)
            case "owner remove":
                return _remove(args, stack, aws, routes, owners, now)
            case _:
                return _list(stack, routes, owners, Table(aws.dynamodb, stack.payments_table))
    except LostRace as lost:
        raise ConfigurationError(
            "somebody changed routes or owners meanwhile: nothing was written, try again"
        ) from lost


def _set(
    args: argparse.Namespace, stack: Stack, aws: Aws, routes: RoutesTable, owners: OwnersTable, now: int
) -> Result:
    address = _address("the owner", args.address)
    pay_to = tuple(_address("--pay-to", text) for text in args.pay_to) or (address,)
    functions = tuple(_function(name, stack.facts) for name in args.function)
    least = _least(args.min_price, stack.facts)
    owner = Owner(address, _path(args.path), pay_to, args.fee_bps, args.max_routes, functions, least)
    rows = owners.all()
    row = next((row for row in rows if row.owner.address == address), None)
    current = routes.load()
    others = [other.owner for other in rows if other.owner.address != address]
    _check_apart(owner, others, [route for route in current.routes if route.owner != address], stack, aws)
    theirs = _registered(current.routes, address)
    _check_covers(owner, theirs)
    wanted = [replace(route, fee_bps=owner.fee_bps) if route in theirs else route for route in current.routes]
    if wanted == list(current.routes):
        owners.write(put(owner, row))
    else:
        merged = merge(current.routes, wanted, now)
        changes = of_record(current.routes, merged)
        routes.replace(merged, current.version, now, operator(aws), changes, [put(owner, row)])
    lines = [f"{address} may register routes on {stack.name}", *_lines(owner, len(theirs))]
    return Result(_document(owner, len(theirs)), lines)


def _remove(
    args: argparse.Namespace, stack: Stack, aws: Aws, routes: RoutesTable, owners: OwnersTable, now: int
) -> Result:
    address = _address("the owner", args.address)
    row = owners.find(address)
    if row is None:
        raise ConfigurationError(f"{address} is no owner on {stack.name}")
    current = routes.load()
    theirs = _registered(current.routes, address)
    if theirs:
        merged = merge(current.routes, [route for route in current.routes if route not in theirs], now)
        changes = of_record(current.routes, merged)
        routes.replace(merged, current.version, now, operator(aws), changes, [remove(row)])
    else:
        owners.write(remove(row))
    gone = [f"- {route.method} {route.pattern} ({route.id})" for route in theirs]
    document = {"owner": str(address), "removed": True, "routes": [route.id for route in theirs]}
    return Result(document, [f"{address} may register nothing on {stack.name} any more", *gone])


def _list(stack: Stack, routes: RoutesTable, owners: OwnersTable, payments: Table) -> Result:
    current = routes.load().routes
    rows = owners.all()
    lines: list[str] = []
    documents: list[dict[str, Any]] = []
    for row in rows:
        fees = [fee for info in stack.facts.networks for fee in _fees(row.owner.address, info, stack, payments)]
        lines += [str(row.owner.address), *_lines(row.owner, _count(current, row))]
        lines += [f"    fees so far: {amount(fee.atomic, fee.network, fee.asset)}" for fee in fees]
        documents.append(_document(row.owner, _count(current, row)) | {"fees": [fee.to_json() for fee in fees]})
    if not rows:
        lines = [f"only you have routes on {stack.name}: tollgate owner set lets a wallet register its own"]
    return Result({"stack": stack.name, "owners": documents}, lines)


@dataclass(frozen=True, slots=True)
class _Fee:
    """What an owner has come to owe in one token, in atomic units, by so many payments."""

    network: Network
    asset: Address
    atomic: int
    payments: int

    def to_json(self) -> dict[str, Any]:
        return {
            "network": str(self.network),
            "asset": str(self.asset),
            "amount": str(self.atomic),
            "payments": self.payments,
        }


def _fees(owner: Address, info: NetworkInfo, stack: Stack, payments: Table) -> list[_Fee]:
    asset = info.asset(stack.facts.asset).address
    found = payments.get_many(fee_keys(str(info.network), asset.lower, owner)).values()
    fee = _Fee(info.network, asset, sum(i["amount"] for i in found), sum(i["payments"] for i in found))
    return [fee] if fee.payments else []


def _check_apart(owner: Owner, others: list[Owner], routes: list[Route], stack: Stack, aws: Aws) -> None:
    """No two owners meet in a path or an address, and none is paid where the operator or a seller elsewhere is."""
    for other in others:
        if overlap(owner, other):
            raise ConfigurationError(f"--path {owner.path}: {other.address} has {other.path} already")
    taken = {address: f"the owner {other.address}" for other in others for address in other.pay_to}
    taken |= dict.fromkeys(receivers.of_routes(routes, stack.facts.pay_to), "this stack or another owner's route")
    taken |= {address: f"the seller {s.name}" for s in receivers.sellers_of(stack, aws) for address in s.pay_to}
    tokens = {asset.address: asset.symbol for i in stack.facts.networks for asset in i.assets}
    for address in owner.pay_to:
        if (whose := taken.get(address)) is not None:
            raise ConfigurationError(f"{address} is where {whose} is paid: an owner needs an address of its own")
        if address in tokens:
            raise ConfigurationError(f"{address} is the token {tokens[address]} itself: money sent there is lost")


def _check_covers(owner: Owner, theirs: list[Route]) -> None:
    """What was registered before must still be allowed: nothing is sold on terms that the operator took away."""
    for route in theirs:
        if not below(PathPattern.parse(route.pattern), owner):
            raise ConfigurationError(f"--path {owner.path}: its route {route.id} is at {route.pattern}")
        if missing := {terms.pay_to for terms in route.terms} - set(owner.pay_to):
            raise ConfigurationError(f"--pay-to: its route {route.id} is paid to {', '.join(map(str, missing))}")
        if gone := _functions_of(route) - set(owner.functions):
            raise ConfigurationError(f"--function: its route {route.id} needs {', '.join(sorted(gone))}")
        findings = Findings()
        limits_of(owner).check(route, Node(1, route.id, Kind.FIELDS), findings)
        for problem in findings.problems:
            raise ConfigurationError(f"--min-price: its route {route.id} {problem.sentence}")


def _functions_of(route: Route) -> set[str]:
    """Those that a route has invoked."""
    sold = {route.upstream.function} if isinstance(route.upstream, FunctionTarget) else set()
    return sold if route.computed is None else sold | {route.computed.function}


def _least(text: str, facts: StackFacts) -> str:
    try:
        for info in facts.networks:
            asset = info.asset(facts.asset)
            if asset.dollar:
                parse_dollars(text, asset)
    except ValueError as error:
        raise ConfigurationError(f"--min-price {text}: {error}; $ needs single quotes") from error
    return text


def _registered(routes: tuple[Route, ...], address: Address) -> list[Route]:
    return [route for route in routes if route.owner == address and route.revision]


def _count(routes: tuple[Route, ...], row: OwnerRow) -> int:
    return sum(1 for route in routes if route.owner == row.owner.address)


def _address(what: str, text: str) -> Address:
    try:
        address = Address.parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{what} {text}: {error}") from error
    digits = text[2:]
    if not any(address.raw):
        raise ConfigurationError(f"{what} {text}: is the zero address")
    if digits not in (digits.lower(), digits.upper()) and text != str(address):
        raise ConfigurationError(f"{what} {text}: has a wrong checksum: a digit is mistyped, or it is {address}")
    return address


def _path(text: str) -> str:
    try:
        PathPattern.parse(check_path(text))
    except ValueError as error:
        raise ConfigurationError(f"--path {text}: {error}") from error
    if is_reserved(text):
        raise ConfigurationError(f"--path {text}: is Tollgate's own")
    return text


def _function(text: str, facts: StackFacts) -> str:
    try:
        function = FunctionName.parse(text).within(facts.function_prefix)
    except ValueError as error:
        raise ConfigurationError(f"--function {text}: {error}") from error
    if (problem := function_problem(function, facts)) is not None:
        raise ConfigurationError(f"--function {text}: {problem}")
    return str(function)


def _document(owner: Owner, routes: int) -> dict[str, Any]:
    return {
        "owner": str(owner.address),
        "path": owner.path,
        "payTo": [str(address) for address in owner.pay_to],
        "feeBps": owner.fee_bps,
        "minPrice": owner.least,
        "maxRoutes": owner.max_routes,
        "functions": list(owner.functions),
        "routes": routes,
    }


def _lines(owner: Owner, routes: int) -> list[str]:
    owes = f"owes you {owner.fee_bps / 100:g} % of each payment" if owner.fee_bps else "owes you no fee"
    return [
        f"    below {owner.path}, {routes} of at most {owner.max_routes} routes, each at {owner.least} or more, {owes}",
        *(f"    paid to {address}" for address in owner.pay_to),
        *(f"    may sell the function {name}" for name in owner.functions),
    ]
