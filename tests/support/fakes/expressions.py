"""DynamoDB's condition, key-condition and update expressions, parsed once and evaluated on typed items.

Covers what the ledgers may write: SET (with ``+``, ``-``, ``if_not_exists``, ``list_append``), REMOVE, ADD;
comparisons, BETWEEN, IN, AND, OR, NOT, parentheses, ``attribute_exists``, ``attribute_not_exists``,
``contains``, ``begins_with``, ``size``. Anything else is ``Invalid``, as the service says ValidationException.
Source: Amazon DynamoDB Developer Guide, "Condition and filter expressions", "Update expressions".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Typed = dict[str, Any]
Item = dict[str, Typed]
Names = Mapping[str, str]
Values = Mapping[str, Typed]

_TOKEN = re.compile(r"\s*(?:([#:]?[A-Za-z_][A-Za-z0-9_]*)|(<>|<=|>=|[=<>(),+\-]))")
_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_CLAUSES = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
_ORDERED = frozenset({"N", "S", "B"})


class Invalid(Exception):
    """The service would answer ValidationException."""


Operand = Callable[[Item, Names, Values], Typed | None]
Condition = Callable[[Item, Names, Values], bool]
Assignment = Callable[[Item, Names, Values], tuple[str, Typed | None]]


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What an expression does, and the ``#names`` and ``:values`` that it uses."""

    run: T
    used: frozenset[str]


class _Reader:
    """A recursive-descent parser over one expression's tokens."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise Invalid(f"cannot read {text[at:]!r} in {text!r}")
            self.tokens.append(match.group(1) or match.group(2))
            at = match.end()
        self.text = text
        self.at = 0
        self.used = frozenset(t for t in self.tokens if t[0] in "#:")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token.upper() != wanted):
            raise Invalid(f"expected {wanted or 'more'} at {token!r} in {self.text!r}")
        self.at += 1
        return token

    def accept(self, wanted: str) -> bool:
        if self.peek().upper() == wanted:
            self.at += 1
            return True
        return False

    def ended(self) -> None:
        if self.peek():
            raise Invalid(f"unexpected {self.peek()!r} in {self.text!r}")

    # Conditions, loosest first.

    def either(self) -> Condition:
        left = self.both()
        while self.accept("OR"):
            left = _or(left, self.both())
        return left

    def both(self) -> Condition:
        left = self.negation()
        while self.accept("AND"):
            left = _and(left, self.negation())
        return left

    def negation(self) -> Condition:
        if self.accept("NOT"):
            inner = self.negation()
            return lambda item, names, values: not inner(item, names, values)
        if self.accept("("):
            inner = self.either()
            self.take(")")
            return inner
        return self.test()

    def test(self) -> Condition:
        word = self.peek()
        if word in ("attribute_exists", "attribute_not_exists", "contains", "begins_with"):
            return self.predicate(self.take())
        left = self.operand()
        operator = self.take()
        if operator in _COMPARATORS:
            return _comparison(left, operator, self.operand())
        if operator.upper() == "BETWEEN":
            low = self.operand()
            self.take("AND")
            return _and(_comparison(left, ">=", low), _comparison(left, "<=", self.operand()))
        if operator.upper() == "IN":
            choices = self.arguments()
            return lambda i, n, v: any(_comparison(left, "=", choice)(i, n, v) for choice in choices)
        raise Invalid(f"unknown operator {operator!r} in {self.text!r}")

    def predicate(self, name: str) -> Condition:
        arguments = self.arguments()
        path = arguments[0]
        if name == "attribute_exists":
            return lambda i, n, v: path(i, n, v) is not None
        if name == "attribute_not_exists":
            return lambda i, n, v: path(i, n, v) is None
        wanted = arguments[1]
        return (
            (lambda i, n, v: _contains(path(i, n, v), wanted(i, n, v)))
            if name == "contains"
            else (lambda i, n, v: _begins(path(i, n, v), wanted(i, n, v)))
        )

    def arguments(self) -> list[Operand]:
        self.take("(")
        found = [self.operand()]
        while self.accept(","):
            found.append(self.operand())
        self.take(")")
        return found

    def operand(self) -> Operand:
        token = self.take()
        if token in ("if_not_exists", "list_append", "size") and self.peek() == "(":
            return _function(token, self.arguments())
        if token[0] == ":":
            return lambda item, names, values: values[token]
        path = self.path(token)
        return lambda item, names, values: item.get(path(names))

    def path(self, token: str) -> Callable[[Names], str]:
        if token[0] == "#":
            return lambda names: names[token]
        if not token[0].isalpha():
            raise Invalid(f"{token!r} is no attribute in {self.text!r}")
        return lambda names: token

    # Updates.

    def clauses(self) -> list[Assignment]:
        found: list[Assignment] = []
        seen: set[str] = set()
        while self.peek():
            clause = self.take().upper()
            if clause not in _CLAUSES or clause in seen:
                raise Invalid(f"bad clause {clause!r} in {self.text!r}")
            seen.add(clause)
            found.append(self.action(clause))
            while self.accept(","):
                found.append(self.action(clause))
        return found

    def action(self, clause: str) -> Assignment:
        path = self.path(self.take())
        if clause == "REMOVE":
            return lambda item, names, values: (path(names), None)
        if clause == "ADD":
            value = self.operand()
            return lambda i, n, v: (path(n), _sum(i.get(path(n), {"N": "0"}), value(i, n, v), 1))
        if clause == "DELETE":
            raise Invalid("sets are not used here")
        self.take("=")
        left = self.operand()
        if self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            right = self.operand()
            return lambda i, n, v: (path(n), _sum(left(i, n, v), right(i, n, v), sign))
        return lambda i, n, v: (path(n), _present(left(i, n, v)))


def _and(left: Condition, right: Condition) -> Condition:
    return lambda item, names, values: left(item, names, values) and right(item, names, values)


def _or(left: Condition, right: Condition) -> Condition:
    return lambda item, names, values: left(item, names, values) or right(item, names, values)


def _function(name: str, arguments: list[Operand]) -> Operand:
    first = arguments[0]
    if name == "size":
        return lambda i, n, v: _size(first(i, n, v))
    second = arguments[1]
    if name == "if_not_exists":
        return lambda i, n, v: found if (found := first(i, n, v)) is not None else second(i, n, v)
    return lambda i, n, v: {"L": _present(first(i, n, v))["L"] + _present(second(i, n, v))["L"]}


def _present(value: Typed | None) -> Typed:
    if value is None:
        raise Invalid("The provided expression refers to an attribute that does not exist in the item")
    return value


def _sum(left: Typed | None, right: Typed | None, sign: int) -> Typed:
    a, b = _present(left), _present(right)
    if "N" not in a or "N" not in b:
        raise Invalid("An operand in the update expression has an incorrect data type")
    return {"N": str(Decimal(a["N"]) + sign * Decimal(b["N"]))}


def _size(value: Typed | None) -> Typed | None:
    if value is None:
        return None
    ((_, inner),) = value.items()
    return {"N": str(len(inner))}


def _contains(value: Typed | None, wanted: Typed | None) -> bool:
    if value is None or wanted is None:
        return False
    ((kind, inner),) = value.items()
    ((wanted_kind, needle),) = wanted.items()
    if kind == "L":
        return wanted in inner
    return kind in ("S", "B") and kind == wanted_kind and needle in inner


def _begins(value: Typed | None, wanted: Typed | None) -> bool:
    if value is None or wanted is None:
        return False
    ((kind, inner),) = value.items()
    return kind in ("S", "B") and kind in wanted and bool(inner.startswith(wanted[kind]))


def _comparison(left: Operand, operator: str, right: Operand) -> Condition:
    compare = _COMPARE[operator]
    return lambda item, names, values: compare(left(item, names, values), right(item, names, values))


def _equal(a: Typed | None, b: Typed | None) -> bool:
    if a is None or b is None:
        return False
    if "N" in a and "N" in b:
        return Decimal(a["N"]) == Decimal(b["N"])
    return a == b


def _ordered(a: Typed | None, b: Typed | None, test: Callable[[Any, Any], bool]) -> bool:
    if a is None or b is None:
        return False
    ((kind, x),) = a.items()
    ((other, y),) = b.items()
    if kind != other or kind not in _ORDERED:
        return False
    if kind == "N":
        return test(Decimal(x), Decimal(y))
    return test(x.encode(), y.encode()) if kind == "S" else test(x, y)


_COMPARE: dict[str, Callable[[Typed | None, Typed | None], bool]] = {
    "=": _equal,
    # Whatever is not there is not equal to anything: the service says so too.
    "<>": lambda a, b: not _equal(a, b),
    "<": lambda a, b: _ordered(a, b, lambda x, y: bool(x < y)),
    "<=": lambda a, b: _ordered(a, b, lambda x, y: bool(x <= y)),
    ">": lambda a, b: _ordered(a, b, lambda x, y: bool(x > y)),
    ">=": lambda a, b: _ordered(a, b, lambda x, y: bool(x >= y)),
}


@lru_cache(maxsize=512)
def condition(text: str) -> Parsed[Condition]:
    """Parse a condition. Raises ``Invalid``."""
    reader = _Reader(text)
    run = reader.either()
    reader.ended()
    return Parsed(run, reader.used)


@lru_cache(maxsize=512)
def update(text: str) -> Parsed[list[Assignment]]:
    """Parse an update. Raises ``Invalid``."""
    reader = _Reader(text)
    return Parsed(reader.clauses(), reader.used)


def apply_update(parsed: Parsed[list[Assignment]], item: Item, names: Names, values: Values) -> Item:
    """The item after an update: every right-hand side sees the item as it was. Raises ``Invalid``."""
    changed = dict(item)
    paths: set[str] = set()
    for assign in parsed.run:
        path, value = assign(item, names, values)
        if path in paths:
            raise Invalid("Two document paths overlap with each other")
        paths.add(path)
        if value is None:
            changed.pop(path, None)
        else:
            changed[path] = value
    return changed
