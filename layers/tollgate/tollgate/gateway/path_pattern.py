"""Path patterns: literal segments and ``{param}`` segments, where a param is one non-empty segment."""

import re
from dataclasses import dataclass

# RFC 3986 pchar without percent-encoding and without ';'.
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]+")
_PARAM = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,31})\}")
_OWN = "x402"
# Ours too, but a catalogue of before that time may name them: such a route is not served, and the checker refuses it.
_RESERVED = (_OWN, "discovery")
WELL_KNOWN = "/.well-known/x402"
# Ours while no route of the seller's takes them.
SITE_DOCUMENTS = ("/openapi.json", "/llms.txt")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """Per segment: whether it is a param, and its name or literal text; a trailing slash is a last ""."""

    segments: tuple[tuple[bool, str], ...]

    @classmethod
    def parse(cls, text: str) -> "PathPattern":
        """Parse ``/weather/{city}``. Raises ``ValueError`` with a sentence."""
        if not text.startswith("/"):
            raise ValueError("must start with a slash")
        parts = text[1:].split("/")
        segments = tuple(_segment(part, last=index == len(parts) - 1) for index, part in enumerate(parts))
        params = [name for is_param, name in segments if is_param]
        if len(set(params)) != len(params):
            raise ValueError("names one {param} twice")
        if not segments[0][0] and segments[0][1].lower() == _OWN:
            raise ValueError("is under /x402/, which is Tollgate's own")
        return cls(segments)

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the params, in order."""
        return tuple(name for is_param, name in self.segments if is_param)

    @property
    def shape(self) -> tuple[str | None, ...]:
        """What the pattern matches, whatever its params are called (``None`` is a param)."""
        return tuple(None if is_param else text for is_param, text in self.segments)

    @property
    def specificity(self) -> tuple[bool, ...]:
        """Sorts patterns of one length, the most specific first: literals before params, from the left."""
        return tuple(is_param for is_param, _ in self.segments)

    def match(self, path: str) -> dict[str, str] | None:
        """The params of a canonical path, or ``None`` when it does not match."""
        parts = path[1:].split("/")
        if len(parts) != len(self.segments):
            return None
        params: dict[str, str] = {}
        for (is_param, text), part in zip(self.segments, parts, strict=True):
            if is_param and part:
                params[text] = part
            elif is_param or part != text:
                return None
        return params


def is_reserved(path: str) -> bool:
    """Whether a path is Tollgate's own: ``/x402``, ``/discovery`` and everything under them, and ``/.well-known/x402``.

    Of a pattern: whether all its paths are.
    """
    return path[1:].split("/", 1)[0].lower() in _RESERVED or path.lower() == WELL_KNOWN


def _segment(part: str, *, last: bool) -> tuple[bool, str]:
    if param := _PARAM.fullmatch(part):
        return True, param.group(1)
    if part == "" and last:
        return False, ""
    if part in ("", ".", ".."):
        raise ValueError("has an empty segment or a dot segment")
    if "{" in part or "}" in part:
        raise ValueError(f"has the segment {part!r}: a {{param}} is a whole segment, a letter first")
    if _LITERAL.fullmatch(part) is None:
        raise ValueError(f"has the segment {part!r}: letters, digits and ._~!$&'()*+,=:@- only, nothing encoded")
    return False, part
