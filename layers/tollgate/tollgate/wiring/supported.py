"""Supported's composition root."""

import os
import time

import boto3

from tollgate.facilitator.supported import SupportedService
from tollgate.ledger.routes import RoutesTable
from tollgate.settings import read_facilitator_settings, read_routes_table, read_settings
from tollgate.wiring.shared import AWS


def make_supported() -> SupportedService:
    """Over this stack's networks. Raises ``ConfigurationError`` naming what is missing.

    A stack that settles through another facilitator offers nothing: the signers on its books are not its own.
    """
    settings = read_settings(os.environ)
    if read_facilitator_settings(os.environ, settings.stage) is not None:
        return SupportedService(tuple, time.time)
    table = RoutesTable(boto3.client("dynamodb", config=AWS), read_routes_table(os.environ), settings.network_ids)
    return SupportedService(table.statuses, time.time)
