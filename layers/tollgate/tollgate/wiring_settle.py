"""The composition root of the settle function: the only one that holds a signer (rule 9)."""

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from botocore.config import Config

from tollgate.chain.signer import KmsSigner
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.errors import ConfigurationError
from tollgate.facilitator.ports import Lane
from tollgate.facilitator.relayers import Relayers, relayer_status
from tollgate.facilitator.settle import SettleService, lanes_of
from tollgate.ledger.dynamo import Table
from tollgate.ledger.settlements import SettlementsLedger
from tollgate.payment.settlement import SettleOutcome, SettleRequest
from tollgate.settings import read_settings
from tollgate.wiring import ConfiguredChains, SecretReader, new_token

_AWS = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
_WEI_PER_GWEI = 10**9
_STATUS_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SettleSettings:
    """What only settle needs. ``relayer_keys`` are KMS key ids or ARNs, ``fee_cap`` is wei per gas."""

    settlements_table: str
    asset: str
    relayer_keys: tuple[str, ...]
    fee_cap: int


def read_settle_settings(environment: Mapping[str, str]) -> SettleSettings:
    """Raises ``ConfigurationError`` naming every variable that is missing or wrong."""
    names = ("TOLLGATE_SETTLEMENTS_TABLE", "TOLLGATE_ASSET", "TOLLGATE_RELAYER_KEYS", "TOLLGATE_MAX_FEE_GWEI")
    table, asset, keys, fee = (environment.get(name, "").strip() for name in names)
    problems = [f"{name} is not set" for name, value in zip(names, (table, asset, keys, fee), strict=True) if not value]
    try:
        fee_cap = int(Decimal(fee or "1") * _WEI_PER_GWEI)
    except (InvalidOperation, ValueError, OverflowError):
        fee_cap = 0
    if fee_cap <= 0:
        problems.append("TOLLGATE_MAX_FEE_GWEI must be a positive decimal number of gwei, such as 0.5")
    if problems:
        raise ConfigurationError("; ".join(problems))
    relayer_keys = tuple(filter(None, (key.strip() for key in keys.split(","))))
    return SettleSettings(table, asset, relayer_keys, fee_cap)


class Facilitator:
    """Settle and the relayers' status over this stack's parts."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        settings = read_settings(os.environ)
        own = read_settle_settings(os.environ)
        self._journal = PowertoolsJournal(logger, metrics)
        self._fee_cap = own.fee_cap
        chains = ConfiguredChains(settings, SecretReader())
        lanes = []
        for info in settings.networks:
            chain = chains.get(info.network)
            if chain is not None:
                lanes.append(Lane(info, info.asset(own.asset), chain))
        self._lanes = lanes_of(lanes)
        kms = boto3.client("kms", config=_AWS)
        self._relayers = Relayers([KmsSigner(kms, key) for key in own.relayer_keys])
        self._service = SettleService(
            self._lanes,
            self._relayers,
            SettlementsLedger(Table(boto3.client("dynamodb", config=_AWS), own.settlements_table)),
            self._journal,
            fee_cap=own.fee_cap,
            clock=time.time,
            sleep=time.sleep,
            jitter=random.SystemRandom().random,
            new_owner=new_token,
        )

    def settle(self, request: SettleRequest, deadline: float) -> SettleOutcome:
        """See ``SettleService.settle``."""
        return self._service.settle(request, deadline)

    def relayers(self) -> dict[str, Any]:
        """See ``relayer_status``."""
        return relayer_status(self._lanes, self._relayers, self._fee_cap, self._journal, _STATUS_TIMEOUT_SECONDS)
