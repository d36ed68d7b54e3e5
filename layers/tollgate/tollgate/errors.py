"""Everything Tollgate raises on purpose.

    TollgateError
    ├── BadRequest          the request itself is wrong: a 4xx, decided before anything is written
    ├── Refusal             the payment is refused: expected, one of the closed set of reason codes
    ├── UnknownOutcome      nobody can tell (yet) whether money moved or will move: never answered with an offer
    │   └── ChainUnavailable    no RPC endpoint gave a usable answer
    ├── LostRace            a conditional write lost: the item is not where the caller thought; read again
    └── ConfigurationError  the operator has to mend something; the sentence says what

Anything else that is raised is a bug and is loud.
"""

from tollgate.wire.reasons import Reason


class TollgateError(Exception):
    """Root of the tree above."""


class BadRequest(TollgateError):
    """The request cannot be read or is over a cap; nothing was written.

    ``status`` is the HTTP status (400, 404, 405, 413, 431), ``code`` is machine-readable,
    ``sentence`` tells the caller what to do and never repeats a secret.
    """

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.status = status
        self.code = code
        self.sentence = sentence


class Refusal(TollgateError):
    """The payment is well-formed but not acceptable; ``reason`` is the wire's reason code."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(f"{reason.value}: {sentence}")
        self.reason = reason
        self.sentence = sentence


class UnknownOutcome(TollgateError):
    """Money may have moved, or may still move."""


class ChainUnavailable(UnknownOutcome):
    """No RPC endpoint answered usably within its budget. The text never holds an URL."""


class LostRace(TollgateError):
    """Another writer moved the item first."""


class ConfigurationError(TollgateError):
    """A setting, route or parameter is wrong; the text says which and how to mend it."""
