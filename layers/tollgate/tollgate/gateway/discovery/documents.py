"""What the discovery function answers: free, read-only, and made anew from the routes as they stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.errors import BadRequest
from tollgate.gateway.discovery.config import StackFacts, config
from tollgate.gateway.discovery.resources import resources, search
from tollgate.gateway.discovery.well_known import well_known
from tollgate.gateway.path_pattern import WELL_KNOWN
from tollgate.gateway.ports import CatalogueSource


@dataclass(frozen=True, slots=True)
class Documents:
    """The use case."""

    catalogues: CatalogueSource
    facts: StackFacts

    def get(self, path: str, raw_query: str) -> Mapping[str, Any]:
        """The document at a path. Raises ``BadRequest``: 400 for its parameters, 404 where there is none."""
        base_url = self.facts.base_url
        if path == "/x402/config":
            return config(self.catalogues.current(), self.facts)
        if path == WELL_KNOWN:
            return well_known(self.catalogues.current(), base_url)
        if path == "/discovery/resources":
            return resources(self.catalogues.current(), base_url, raw_query)
        if path == "/discovery/search":
            return search(self.catalogues.current(), base_url, raw_query)
        raise BadRequest(404, "unknown_document", "There is no document at this path.")
