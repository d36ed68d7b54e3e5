"""Discovery's composition root."""

import os
import time

import boto3

from tollgate.gateway.api_routes import of_the_proxy
from tollgate.gateway.catalogue_cache import CatalogueCache
from tollgate.gateway.discovery.config import StackFacts
from tollgate.gateway.discovery.documents import Documents
from tollgate.ledger.routes import RoutesTable
from tollgate.settings import read_asset, read_catalogue_settings, read_facilitator_settings, read_settings
from tollgate.wiring.assets import settled_assets
from tollgate.wiring.shared import AWS


def make_documents() -> Documents:
    """Over the routes table. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    own = read_catalogue_settings(os.environ)
    remote = read_facilitator_settings(os.environ, settings.stage)
    asset = read_asset(os.environ)
    settled_assets(settings, asset)
    table = RoutesTable(boto3.client("dynamodb", config=AWS), own.routes_table, settings.network_ids)
    facts = StackFacts(own.public_base_url, settings.networks, asset, () if remote is None else remote.urls)
    return Documents(CatalogueCache(lambda: of_the_proxy(table.load_with_health()), time.time), facts)
