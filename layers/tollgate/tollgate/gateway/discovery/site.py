"""The two documents at the root of the seller's own site; a route of the seller's at the same place comes first."""

import json
from functools import lru_cache

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.listing import CACHE
from tollgate.gateway.discovery.llms import llms_txt
from tollgate.gateway.discovery.openapi import openapi
from tollgate.payment.record import StoredAnswer


# The same routes are the same document: a catalogue is read again every half minute, however often this is asked for.
@lru_cache(maxsize=2)
def site_document(path: str, catalogue: Catalogue, base_url: str) -> StoredAnswer:
    """The answer to GET of one of ``path_pattern.SITE_DOCUMENTS``."""
    if path == "/llms.txt":
        body, kind = llms_txt(catalogue, base_url), "text/plain; charset=utf-8"
    else:
        body, kind = json.dumps(openapi(catalogue, base_url), separators=(",", ":")), "application/json"
    return StoredAnswer(200, (CACHE, ("content-type", kind)), body.encode())
