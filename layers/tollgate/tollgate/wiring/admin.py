"""Admin's composition root: one table, no key, no chain."""

import os
import time
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.admin.routes import OwnedRoutes
from tollgate.gateway.admin.sign_in import SignIns
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.ledger.registered import RegisteredRoutes
from tollgate.settings import read_admin_settings, read_settings
from tollgate.wire.primitives import Address
from tollgate.wiring.shared import AWS


def make_owned_routes(logger: Logger, metrics: Metrics) -> OwnedRoutes:
    """Over the routes table. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    own = read_admin_settings(os.environ)
    return OwnedRoutes(
        store=RegisteredRoutes(boto3.client("dynamodb", config=AWS), own.routes_table),
        sign_ins=SignIns(own.public_base_url, urlsplit(own.public_base_url).netloc),
        facts=StackFacts(
            networks=settings.networks,
            asset=own.asset,
            # Each owner's own takes its place.
            pay_to=Address(bytes(20)),
            allow_private_upstreams=own.allow_private_upstreams,
            base_url=own.public_base_url,
            secret_prefix=own.secret_prefix,
        ),
        clock=time.time,
        journal=PowertoolsJournal(logger, metrics),
        registration_path=own.registration_path,
    )
