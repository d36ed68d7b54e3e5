"""A Lambda function as routes and parameters name it: its name or its ARN, with a version or an alias if one is meant.

    make-report   make-report:live   arn:aws:lambda:eu-central-1:123456789012:function:make-report:live

Source: AWS, "Invoke", FunctionName. Partial ARNs, which AWS takes too, are not read: one function, few spellings.
"""

import re
from dataclasses import dataclass, replace

_NAME = r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
_PREFIX = r"(?P<prefix>arn:aws[a-z-]*:lambda:[a-z0-9-]{1,32}:[0-9]{12}:function:)"
_FUNCTION = re.compile(f"{_PREFIX}?{_NAME}")


@dataclass(frozen=True, slots=True)
class FunctionName:
    """One function. ``prefix`` is an ARN's, up to the name, or "" where that is not known; so is ``qualifier``."""

    name: str
    qualifier: str = ""
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> "FunctionName":
        """Read a name or an ARN. Raises ``ValueError`` with what it must be."""
        match = _FUNCTION.fullmatch(text)
        if match is None:
            raise ValueError(
                "must be the name of a Lambda function or its ARN, with :alias or :version if one is meant"
            )
        return cls(match["name"], match["qualifier"] or "", match["prefix"] or "")

    def within(self, prefix: str) -> "FunctionName":
        """The same function, with this ARN prefix if it has none of its own."""
        return self if self.prefix else replace(self, prefix=prefix)

    @property
    def region(self) -> str:
        """The Region that the ARN names, or ""."""
        return self.prefix.split(":")[3] if self.prefix else ""

    def __str__(self) -> str:
        """As AWS takes it."""
        return f"{self.prefix}{self.name}{':' if self.qualifier else ''}{self.qualifier}"
