"""What the composition roots share.

boto3 clients are made with retries off where a retry would hide a second run (rule 12).
"""

import json
import secrets
import time
from collections.abc import Mapping

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.errors import ChainUnavailable, ConfigurationError
from tollgate.payment.networks import NetworkInfo
from tollgate.settings import Settings
from tollgate.wire.primitives import Network

AWS = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


def new_token() -> str:
    """An owner token: 128 bits from the operating system."""
    return secrets.token_hex(16)


class SecretReader:
    """Secrets Manager values, kept for five minutes per process; a rotated secret is seen within that."""

    KEEP_SECONDS = 300

    def __init__(self) -> None:
        self._client = boto3.client("secretsmanager", config=AWS)
        self._held: dict[str, tuple[float, str]] = {}

    def get(self, name: str) -> str:
        """The secret's string value. Raises ``ConfigurationError``."""
        held = self._held.get(name)
        now = time.monotonic()
        if held is not None and now - held[0] <= self.KEEP_SECONDS:
            return held[1]
        try:
            value = self._read(name)
        except ConfigurationError:
            if held is None:
                raise
            # What worked until now is better than nothing; it is asked again next time.
            return held[1]
        self._held[name] = (now, value)
        return value

    def _read(self, name: str) -> str:
        try:
            value: str = self._client.get_secret_value(SecretId=name)["SecretString"]
        except (ClientError, BotoCoreError, KeyError) as error:
            raise ConfigurationError(f"the secret {name} cannot be read: {type(error).__name__}") from error
        return value


class ConfiguredChains:
    """The networks of this stack; an RPC client is made when it is first needed, and anew when its URLs change."""

    def __init__(self, settings: Settings, secret: SecretReader) -> None:
        self._infos: Mapping[Network, NetworkInfo] = {i.network: i for i in settings.networks}
        self._secret_name = settings.rpc_secret
        self._secret = secret
        self._made: dict[Network, tuple[list[str], EvmChain]] = {}

    def get(self, network: Network) -> EvmChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it.

        Raises ``ChainUnavailable`` when the secret with its URLs cannot be read.
        """
        info = self._infos.get(network)
        if info is None:
            return None
        try:
            urls = rpc_urls(self._secret.get(self._secret_name), network)
            made = self._made.get(network)
            if made is None or made[0] != urls:
                made = (urls, EvmChain(RpcClient(urls), info))
                self._made[network] = made
        except ConfigurationError as error:
            raise ChainUnavailable(str(error)) from error
        return made[1]


def rpc_urls(secret: str, network: Network) -> list[str]:
    """The endpoints of a network in the RPC secret's text. Raises ``ConfigurationError``."""
    try:
        urls = json.loads(secret)[str(network)]
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"the RPC secret must be a JSON object with an URL, or a list of them, under {network}"
        ) from None
    return [urls] if isinstance(urls, str) else list(urls)
