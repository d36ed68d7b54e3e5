"""What the environment must say, read once at start; every problem is reported, and nothing is guessed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tollgate.errors import ConfigurationError
from tollgate.payment.networks import NetworkInfo, network_info

STAGES = ("local", "test", "prod")


@dataclass(frozen=True, slots=True)
class Settings:
    """What every function needs. ``rpc_secret`` is the *name* of the secret that holds the RPC URLs."""

    stage: str
    networks: tuple[NetworkInfo, ...]
    rpc_secret: str


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What the proxy and reconcile need besides. ``settle_timeout`` is settle's own limit in seconds."""

    payments_table: str
    routes_table: str
    settle_function: str
    settle_timeout: int


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What only the proxy needs."""

    public_base_url: str
    allow_private_upstreams: bool
    source_address_resends: bool


@dataclass(frozen=True, slots=True)
class SettleSettings:
    """What only settle needs. ``relayer_keys`` are KMS key ids or ARNs, ``fee_cap`` is wei per gas."""

    settlements_table: str
    asset: str
    relayer_keys: tuple[str, ...]
    fee_cap: int


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._environment.get(name, "").strip()
        if not value:
            self._problems.append(f"{name} is not set")
        return value

    def number(self, name: str) -> int:
        value = self.text(name)
        if value and not value.isdecimal():
            self._problems.append(f"{name} must be a whole number")
            return 0
        return int(value or 0)

    def gwei(self, name: str) -> int:
        """A positive decimal number of gwei, as wei."""
        value = self.text(name)
        try:
            wei = int(Decimal(value or "1") * 10**9)
        except (InvalidOperation, ValueError, OverflowError):
            wei = 0
        if wei <= 0:
            self._problems.append(f"{name} must be a positive decimal number of gwei, such as 0.5")
        return wei

    def flag(self, name: str) -> bool:
        value = self.text(name)
        if value not in ("true", "false", ""):
            self._problems.append(f"{name} must be true or false")
        return value == "true"

    def networks(self, name: str, stage: str) -> tuple[NetworkInfo, ...]:
        found: list[NetworkInfo] = []
        for wanted in filter(None, (part.strip() for part in self.text(name).split(","))):
            try:
                found.append(network_info(wanted))
            except ConfigurationError as error:
                self._problems.append(f"{name}: {error}")
        if len({info.testnet for info in found}) > 1:
            self._problems.append(f"{name} mixes test and main networks")
        if any(not info.testnet for info in found) != (stage == "prod") and found:
            self._problems.append(f"{name}: main networks and stage prod go together, never one alone")
        return tuple(found)

    def stage(self, name: str) -> str:
        value = self.text(name)
        if value and value not in STAGES:
            self._problems.append(f"{name} must be one of {', '.join(STAGES)}")
        return value

    def done(self) -> None:
        if self._problems:
            raise ConfigurationError("; ".join(self._problems))


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    stage = reader.stage("TOLLGATE_STAGE")
    networks = reader.networks("TOLLGATE_NETWORKS", stage)
    settings = Settings(stage, networks, reader.text("TOLLGATE_RPC_SECRET"))
    reader.done()
    return settings


def read_ledger_settings(environment: Mapping[str, str]) -> LedgerSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = LedgerSettings(
        payments_table=reader.text("TOLLGATE_PAYMENTS_TABLE"),
        routes_table=reader.text("TOLLGATE_ROUTES_TABLE"),
        settle_function=reader.text("TOLLGATE_SETTLE_FUNCTION"),
        settle_timeout=reader.number("TOLLGATE_SETTLE_TIMEOUT"),
    )
    reader.done()
    return settings


def read_proxy_settings(environment: Mapping[str, str]) -> ProxySettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = ProxySettings(
        public_base_url=reader.text("TOLLGATE_PUBLIC_BASE_URL").rstrip("/"),
        allow_private_upstreams=reader.flag("TOLLGATE_ALLOW_PRIVATE_UPSTREAMS"),
        source_address_resends=reader.flag("TOLLGATE_SOURCE_ADDRESS_RESENDS"),
    )
    reader.done()
    return settings


def read_settle_settings(environment: Mapping[str, str]) -> SettleSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = SettleSettings(
        settlements_table=reader.text("TOLLGATE_SETTLEMENTS_TABLE"),
        asset=reader.text("TOLLGATE_ASSET"),
        relayer_keys=tuple(filter(None, (k.strip() for k in reader.text("TOLLGATE_RELAYER_KEYS").split(",")))),
        fee_cap=reader.gwei("TOLLGATE_MAX_FEE_GWEI"),
    )
    reader.done()
    return settings
