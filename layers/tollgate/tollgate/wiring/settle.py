"""Settle's composition root: the only one that holds a signer (rule 9)."""

import os
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.chain.signer import KmsSigner
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.facilitator.http_settle import GuestSettleService
from tollgate.facilitator.ports import Lane
from tollgate.facilitator.refund import RefundService
from tollgate.facilitator.relayers import Relayers, relayer_status
from tollgate.facilitator.settle import SettleService
from tollgate.ledger.dynamo import Table
from tollgate.ledger.refunds import RefundsLedger
from tollgate.ledger.sellers import SellersTable
from tollgate.ledger.settlements import SettlementsLedger
from tollgate.payment.settlement import SettleOutcome, SettleRequest
from tollgate.settings import (
    Settings,
    read_refund_settings,
    read_sellers_settings,
    read_settings,
    read_settle_settings,
)
from tollgate.wire.primitives import Network
from tollgate.wiring.assets import settled_assets
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader, new_token

_STATUS_TIMEOUT_SECONDS = 5.0


class ConfiguredLanes(Mapping[Network, Lane]):
    """The networks of this stack as lanes; their chains are looked up each time, so that new RPC URLs are seen."""

    def __init__(self, settings: Settings, asset: str, chains: ConfiguredChains) -> None:
        self._assets = {info.network: (info, info.payable_asset(asset)) for info in settings.networks}
        self._chains = chains

    def __getitem__(self, network: Network) -> Lane:
        info, asset = self._assets[network]
        chain = self._chains.get(network)
        if chain is None:
            raise KeyError(network)
        return Lane(info, asset, chain)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._assets)

    def __len__(self) -> int:
        return len(self._assets)


class Facilitator:
    """Settle, for our own routes and for sellers elsewhere, and the relayers' status, over this stack's parts."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        settings = read_settings(os.environ)
        own = read_settle_settings(os.environ)
        guests = read_sellers_settings(os.environ)
        self.journal = PowertoolsJournal(logger, metrics)
        self._fee_cap = own.fee_cap
        chains = ConfiguredChains(settings, SecretReader())
        self._lanes = ConfiguredLanes(settings, own.asset, chains)
        kms = boto3.client("kms", config=AWS)
        self._relayers = Relayers([KmsSigner(kms, key) for key in own.relayer_keys])
        dynamo = boto3.client("dynamodb", config=AWS)
        table = Table(dynamo, own.settlements_table)
        ledger = SettlementsLedger(table)
        self._service = SettleService(
            self._lanes,
            self._relayers,
            ledger,
            self.journal,
            fee_cap=own.fee_cap,
            most_open=own.most_open,
            clock=time.time,
            sleep=time.sleep,
            jitter=random.SystemRandom().random,
            new_owner=new_token,
        )
        refunds = read_refund_settings(os.environ)
        self.refunds = RefundService(
            self._lanes,
            chains,
            self._service,
            ledger,
            RefundsLedger(table),
            KmsSigner(kms, refunds.treasury_key),
            self.journal,
            begins=refunds.begins,
            pay_to=refunds.pay_to,
            clock=time.time,
        )
        self.sellers = SellersTable(dynamo, guests.sellers_table)
        self.guests = GuestSettleService(
            settled_assets(settings, own.asset), self._service, ledger, self.journal, time.time, time.sleep
        )

    def settle(self, request: SettleRequest, deadline: float) -> SettleOutcome:
        """See ``SettleService.settle``."""
        return self._service.settle(request, deadline)

    def relayers(self) -> dict[str, Any]:
        """See ``relayer_status``."""
        return relayer_status(self._lanes, self._relayers, self._fee_cap, self.journal, _STATUS_TIMEOUT_SECONDS)
