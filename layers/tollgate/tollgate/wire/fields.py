"""Reading the fields of a decoded message, strictly: what is wrong there is a ``BadRequest`` that names its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tollgate.errors import BadRequest
from tollgate.wire.primitives import parse_atomic

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fields:
    """Readers whose sentences name ``source``: the header or body that the message came in.

    Every one raises ``BadRequest`` with 400 ``malformed_payment``.
    """

    source: str

    def message(self, value: object) -> dict[str, Any]:
        """The message itself, which must be an object."""
        if not isinstance(value, dict):
            raise self.malformed("the payment", "must be a JSON object")
        return value

    def mapping(
        self, data: Mapping[str, Any], key: str, name: str | None = None, *, optional: bool = False
    ) -> dict[str, Any]:
        """An object; ``{}`` for null or nothing where it is ``optional``."""
        value = data.get(key)
        if value is None and optional:
            return {}
        if not isinstance(value, dict):
            raise self.malformed(name or key, "must be a JSON object")
        return value

    def string(self, data: Mapping[str, Any], key: str, name: str) -> str:
        """A string."""
        value = data.get(key)
        if not isinstance(value, str):
            raise self.malformed(name, "must be a string")
        return value

    def seconds(self, data: Mapping[str, Any], key: str, where: str) -> int:
        """A JSON number of seconds, over zero."""
        value = data.get(key)
        if type(value) is not int or value <= 0:
            raise self.malformed(f"{where}.{key}", "must be a positive integer")
        return value

    def parsed(self, parse: Callable[[object], _T], data: Mapping[str, Any], key: str, where: str) -> _T:
        """What ``parse`` makes of it; its ``ValueError`` becomes the sentence."""
        try:
            return parse(data.get(key))
        except ValueError as error:
            raise self.malformed(f"{where}.{key}", str(error)) from error

    def malformed(self, name: str, why: str) -> BadRequest:
        """The error for the field called ``name``."""
        return BadRequest(400, "malformed_payment", f"In {self.source}, {name} {why}.")


def parse_price(text: object) -> int:
    """An atomic amount over zero. Raises ``ValueError``."""
    value = parse_atomic(text)
    if value == 0:
        raise ValueError("must be greater than zero")
    return value
