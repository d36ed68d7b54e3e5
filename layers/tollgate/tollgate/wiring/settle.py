"""Settle's composition root: the only one that holds a signer (rule 9)."""

import os
import random
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.chain.signer import KmsSigner
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.facilitator.ports import Lane
from tollgate.facilitator.relayers import Relayers, relayer_status
from tollgate.facilitator.settle import SettleService, lanes_of
from tollgate.ledger.dynamo import Table
from tollgate.ledger.settlements import SettlementsLedger
from tollgate.payment.settlement import SettleOutcome, SettleRequest
from tollgate.settings import read_settings, read_settle_settings
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader, new_token

_STATUS_TIMEOUT_SECONDS = 5.0


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
        kms = boto3.client("kms", config=AWS)
        self._relayers = Relayers([KmsSigner(kms, key) for key in own.relayer_keys])
        self._service = SettleService(
            self._lanes,
            self._relayers,
            SettlementsLedger(Table(boto3.client("dynamodb", config=AWS), own.settlements_table)),
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
