"""What a sabotage is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sabotage:
    """Replace ``old`` by ``new`` in ``file`` (below layers/tollgate/tollgate): ``test`` must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str
