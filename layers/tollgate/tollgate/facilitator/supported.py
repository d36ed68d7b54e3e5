"""Supported: which payments this facilitator would settle now, and who signs its transactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tollgate.facilitator.ports import Clock
from tollgate.payment.routes import NetworkStatus
from tollgate.payment.v1_names import V1_NAMES

KEEP_SECONDS = 30


def supported(statuses: Sequence[NetworkStatus]) -> dict[str, Any]:
    """SupportedResponse of x402: only networks whose relayers are known to have gas (threats 69, 70)."""
    kinds: list[dict[str, Any]] = []
    for status in statuses:
        if status.has_gas:
            kinds.append({"x402Version": 2, "scheme": "exact", "network": str(status.network)})
            if status.network in V1_NAMES:
                kinds.append({"x402Version": 1, "scheme": "exact", "network": V1_NAMES[status.network]})
    signers = list(dict.fromkeys(str(relayer) for status in statuses for relayer in status.relayers))
    return {"kinds": kinds, "extensions": [], "signers": {"eip155:*": signers}}


@dataclass(slots=True)
class SupportedService:
    """A read-through cache of ``KEEP_SECONDS``; losing it loses nothing."""

    load: Callable[[], Sequence[NetworkStatus]]
    clock: Clock
    _held: dict[str, Any] | None = field(default=None, init=False)
    _read_at: float = field(default=0.0, init=False)

    def get(self) -> dict[str, Any]:
        """The answer, at most ``KEEP_SECONDS`` old."""
        now = self.clock()
        if self._held is None or now - self._read_at >= KEEP_SECONDS:
            self._held = supported(self.load())
            self._read_at = now
        return self._held
