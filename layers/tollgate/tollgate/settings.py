"""What the environment must say, read once at start; every problem is reported, and nothing is guessed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from tollgate.errors import ConfigurationError
from tollgate.payment.networks import NetworkInfo, network_info
from tollgate.wire.primitives import Address, Network

STAGES = ("local", "test", "prod")
REFUND_MODES = ("auto", "manual")

_REST_OF_URL = r"(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*"
_HTTPS_URL = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*" + _REST_OF_URL)
_LOOPBACK_URL = re.compile(r"http://(localhost|127[.]0[.]0[.]1)" + _REST_OF_URL)


@dataclass(frozen=True, slots=True)
class Settings:
    """What every function needs. ``rpc_secret`` is the *name* of the secret that holds the RPC URLs."""

    stage: str
    networks: tuple[NetworkInfo, ...]
    rpc_secret: str

    @property
    def network_ids(self) -> tuple[Network, ...]:
        """The networks without their facts."""
        return tuple(info.network for info in self.networks)


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What the proxy and reconcile need besides. ``settle_timeout`` is settle's own limit in seconds."""

    payments_table: str
    routes_table: str
    settle_function: str
    settle_timeout: int


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What only the proxy needs. ``most_open``: payments of one payer in one token under way at once.

    ``quote_key_secret``: the secret that computed prices are sealed with; empty where the stack may invoke no function.
    """

    public_base_url: str
    allow_private_upstreams: bool
    source_address_resends: bool
    answers_bucket: str
    most_open: int
    quote_key_secret: str


@dataclass(frozen=True, slots=True)
class SettleSettings:
    """What only settle needs. ``relayer_keys`` are KMS key ids or ARNs, ``fee_cap`` is wei per gas; ``most_open`` is
    how many settlements of one payer in one token may be open."""

    settlements_table: str
    asset: str
    relayer_keys: tuple[str, ...]
    fee_cap: int
    most_open: int


@dataclass(frozen=True, slots=True)
class FacilitatorSettings:
    """Remote facilitators to settle through, the first one first. ``secret`` is the *name* of the secret with their
    headers, or ""."""

    urls: tuple[str, ...]
    secret: str


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._environment.get(name, "").strip()
        if not value:
            self._problems.append(f"{name} is not set")
        return value

    def optional(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def facilitator_urls(self, name: str, *, local: bool) -> tuple[str, ...]:
        """https URLs, or http on this machine for a local stack, separated by commas."""
        urls = tuple(filter(None, (part.strip() for part in self.optional(name).split(","))))
        for value in urls:
            if _HTTPS_URL.fullmatch(value) is None and not (local and _LOOPBACK_URL.fullmatch(value)):
                self._problems.append(
                    f"{name} must be an https URL without a trailing slash, query or fragment, or several, separated "
                    "by commas; http is for this machine and stage local"
                )
        if len(set(urls)) != len(urls):
            self._problems.append(f"{name} names a facilitator twice")
        return urls

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
        if any(info.local for info in found) and stage != "local":
            self._problems.append(f"{name}: a chain on this machine needs stage local")
        self._problems += [f"{name}: {why}" for info in found if (why := info.refusal()) is not None]
        return tuple(found)

    def depths(self, name: str, networks: tuple[NetworkInfo, ...]) -> tuple[NetworkInfo, ...]:
        """The networks with their settlement depth: ``eip155:8453=3,eip155:84532=2``; 1 for those not named."""
        depth_of: dict[str, int] = {}
        for part in filter(None, (one.strip() for one in self.optional(name).split(","))):
            network, _, depth = part.partition("=")
            if not depth.isdecimal() or network in depth_of:
                self._problems.append(f"{name} must be a list such as eip155:8453=3,eip155:84532=2")
                return networks
            depth_of[network] = int(depth)
        unknown = depth_of.keys() - {str(info.network) for info in networks}
        self._problems += [f"{name} names {network}, which is none of this stack's networks" for network in unknown]
        self._problems += [
            f"{name}: {info.network} can be settled at a depth of 1 to {info.deepest} blocks; a buyer waits no longer"
            for info in networks
            if not 1 <= depth_of.get(str(info.network), 1) <= info.deepest
        ]
        return tuple(replace(info, settle_depth=depth_of.get(str(info.network), 1)) for info in networks)

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        value = self.text(name)
        if value and value not in among:
            self._problems.append(f"{name} must be one of {', '.join(among)}")
        return value

    def addresses(self, name: str) -> tuple[Address, ...]:
        found: list[Address] = []
        for part in self.text(name).split(","):
            try:
                found.append(Address.parse(part.strip()))
            except ValueError as error:
                self._problems.append(f"{name}: {error}")
        return tuple(found)

    def problem(self, sentence: str) -> None:
        self._problems.append(sentence)

    def done(self) -> None:
        if self._problems:
            raise ConfigurationError("; ".join(self._problems))


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    stage = reader.choice("TOLLGATE_STAGE", STAGES)
    networks = reader.depths("TOLLGATE_SETTLEMENT_DEPTH", reader.networks("TOLLGATE_NETWORKS", stage))
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
        answers_bucket=reader.text("TOLLGATE_ANSWERS_BUCKET"),
        most_open=reader.number("TOLLGATE_MAX_OPEN_PER_PAYER"),
        quote_key_secret=reader.optional("TOLLGATE_QUOTE_KEY_SECRET"),
    )
    reader.done()
    return settings


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """What a REST API's authorizer needs besides. ``public_base_url`` is this stack's, without a trailing slash."""

    public_base_url: str
    source_address_resends: bool
    most_open: int


def read_authorizer_settings(environment: Mapping[str, str]) -> AuthorizerSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = AuthorizerSettings(
        public_base_url=reader.text("TOLLGATE_PUBLIC_BASE_URL").rstrip("/"),
        source_address_resends=reader.flag("TOLLGATE_SOURCE_ADDRESS_RESENDS"),
        most_open=reader.number("TOLLGATE_MAX_OPEN_PER_PAYER"),
    )
    reader.done()
    return settings


def read_facilitator_settings(environment: Mapping[str, str], stage: str) -> FacilitatorSettings | None:
    """The remote facilitators, or ``None`` when the settle function settles.

    Raises ``ConfigurationError`` naming every variable that is wrong.
    """
    reader = _Reader(environment)
    urls = reader.facilitator_urls("TOLLGATE_FACILITATOR_URL", local=stage == "local")
    secret = reader.optional("TOLLGATE_FACILITATOR_SECRET")
    if secret and not urls:
        reader.problem("TOLLGATE_FACILITATOR_SECRET holds headers for TOLLGATE_FACILITATOR_URL, which is not set")
    reader.done()
    return FacilitatorSettings(urls, secret) if urls else None


def read_settle_settings(environment: Mapping[str, str]) -> SettleSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = SettleSettings(
        settlements_table=reader.text("TOLLGATE_SETTLEMENTS_TABLE"),
        asset=reader.text("TOLLGATE_ASSET"),
        relayer_keys=tuple(filter(None, (k.strip() for k in reader.text("TOLLGATE_RELAYER_KEYS").split(",")))),
        fee_cap=reader.gwei("TOLLGATE_MAX_FEE_GWEI"),
        most_open=reader.number("TOLLGATE_MAX_OPEN_PER_PAYER"),
    )
    reader.done()
    return settings


@dataclass(frozen=True, slots=True)
class RefundSettings:
    """What settle needs to send payments back. ``treasury_key`` is a KMS key id or ARN; ``begins``: Refunds is auto."""

    begins: bool
    treasury_key: str
    pay_to: tuple[Address, ...]


def read_allow_private(environment: Mapping[str, str]) -> bool:
    """Whether upstreams may have private addresses. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    allowed = reader.flag("TOLLGATE_ALLOW_PRIVATE_UPSTREAMS")
    reader.done()
    return allowed


def read_refunds_begin(environment: Mapping[str, str]) -> bool:
    """Whether reconcile begins refunds by itself. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    begins = reader.choice("TOLLGATE_REFUNDS", REFUND_MODES) == "auto"
    if begins and reader.optional("TOLLGATE_FACILITATOR_URL"):
        reader.problem(
            "TOLLGATE_REFUNDS auto needs the stack's own settle function: with TOLLGATE_FACILITATOR_URL nothing here "
            "knows what was settled"
        )
    reader.done()
    return begins


def read_refund_settings(environment: Mapping[str, str]) -> RefundSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = RefundSettings(
        begins=reader.choice("TOLLGATE_REFUNDS", REFUND_MODES) == "auto",
        treasury_key=reader.text("TOLLGATE_TREASURY_KEY"),
        pay_to=reader.addresses("TOLLGATE_REFUND_PAY_TO"),
    )
    reader.done()
    return settings


@dataclass(frozen=True, slots=True)
class SellersSettings:
    """What verify, and settle over HTTP, need to serve sellers elsewhere."""

    sellers_table: str
    asset: str


@dataclass(frozen=True, slots=True)
class CatalogueSettings:
    """What challenge and discovery need. ``public_base_url`` has no trailing slash; ``quote_key_secret`` as above."""

    routes_table: str
    public_base_url: str
    quote_key_secret: str = ""


@dataclass(frozen=True, slots=True)
class RecordsSettings:
    """What records needs. ``public_base_url`` has no trailing slash; ``receipt_key`` is a KMS key id or ARN."""

    payments_table: str
    public_base_url: str
    receipt_key: str


def read_records_settings(environment: Mapping[str, str]) -> RecordsSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = RecordsSettings(
        reader.text("TOLLGATE_PAYMENTS_TABLE"),
        reader.text("TOLLGATE_PUBLIC_BASE_URL").rstrip("/"),
        reader.text("TOLLGATE_RECEIPT_KEY"),
    )
    reader.done()
    return settings


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """What admin needs. ``public_base_url`` has no trailing slash; ``secret_prefix`` is what the names of the secrets
    start with that the proxy may read; ``registration_path`` where registering is sold, or ""."""

    routes_table: str
    public_base_url: str
    asset: str
    allow_private_upstreams: bool
    secret_prefix: str
    registration_path: str


def read_admin_settings(environment: Mapping[str, str]) -> AdminSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = AdminSettings(
        routes_table=reader.text("TOLLGATE_ROUTES_TABLE"),
        public_base_url=reader.text("TOLLGATE_PUBLIC_BASE_URL").rstrip("/"),
        asset=reader.text("TOLLGATE_ASSET"),
        allow_private_upstreams=reader.flag("TOLLGATE_ALLOW_PRIVATE_UPSTREAMS"),
        secret_prefix=reader.text("TOLLGATE_UPSTREAM_SECRET_PREFIX"),
        registration_path=reader.optional("TOLLGATE_REGISTRATION_PATH"),
    )
    reader.done()
    return settings


def read_sellers_settings(environment: Mapping[str, str]) -> SellersSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = SellersSettings(reader.text("TOLLGATE_SELLERS_TABLE"), reader.text("TOLLGATE_ASSET"))
    reader.done()
    return settings


def read_catalogue_settings(environment: Mapping[str, str]) -> CatalogueSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = CatalogueSettings(
        reader.text("TOLLGATE_ROUTES_TABLE"),
        reader.text("TOLLGATE_PUBLIC_BASE_URL").rstrip("/"),
        reader.optional("TOLLGATE_QUOTE_KEY_SECRET"),
    )
    reader.done()
    return settings


def read_asset(environment: Mapping[str, str]) -> str:
    """The stack's token, a symbol or an address. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    asset = reader.text("TOLLGATE_ASSET")
    reader.done()
    return asset


def read_routes_table(environment: Mapping[str, str]) -> str:
    """The name of the routes table. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    name = reader.text("TOLLGATE_ROUTES_TABLE")
    reader.done()
    return name


def read_analytics_table(environment: Mapping[str, str]) -> str:
    """The name of the table of sums. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    name = reader.text("TOLLGATE_ANALYTICS_TABLE")
    reader.done()
    return name


def read_public_base_url(environment: Mapping[str, str]) -> str:
    """The URL that callers use, without a trailing slash. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    url = reader.text("TOLLGATE_PUBLIC_BASE_URL").rstrip("/")
    reader.done()
    return url


def read_event_bus(environment: Mapping[str, str]) -> str:
    """The name of the event bus. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    name = reader.text("TOLLGATE_EVENT_BUS")
    reader.done()
    return name


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What webhooks needs. ``secret`` is the *name* of the secret with owners' URLs and keys, or ""."""

    queue_url: str
    secret: str
    allow_private: bool


def read_webhook_settings(environment: Mapping[str, str]) -> WebhookSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    reader = _Reader(environment)
    settings = WebhookSettings(
        reader.text("TOLLGATE_WEBHOOK_QUEUE"),
        reader.optional("TOLLGATE_WEBHOOK_SECRET"),
        reader.flag("TOLLGATE_ALLOW_PRIVATE_UPSTREAMS"),
    )
    reader.done()
    return settings


def read_metrics_namespace(environment: Mapping[str, str]) -> str:
    """Where the stack's metrics stand in CloudWatch. Raises ``ConfigurationError``."""
    reader = _Reader(environment)
    namespace = reader.text("POWERTOOLS_METRICS_NAMESPACE")
    reader.done()
    return namespace
