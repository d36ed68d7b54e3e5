"""All functions of the template in this process, with something to sell: what is counted and timed here."""

from collections.abc import Iterator
from contextlib import contextmanager

from local.chain import Chain
from local.upstream import Upstream
from tests.support.functions import Functions
from tollgate.payment.rate_limits import RateLimit, RouteLimits

SMALL = "/weather/oslo"
# More than what DynamoDB is asked to hold of an answer (rule 7).
BIG = "/big?bytes=90000"
LIMITED = "/limited/oslo"


@contextmanager
def a_shop(aws_endpoint: str, chain: Chain) -> Iterator[Functions]:
    """Priced routes in front of the demo's upstream; reconcile has said that the relayer has gas."""
    upstream = Upstream()
    upstream.start()
    try:
        with Functions(aws_endpoint, chain) as functions:
            functions.sell("GET", "/weather/{city}", f"{upstream.url}/weather/{{city}}")
            functions.sell("GET", "/big", f"{upstream.url}/big")
            limits = RouteLimits(RateLimit(1000, 60), RateLimit(1000, 60))
            functions.sell("GET", "/limited/{city}", f"{upstream.url}/weather/{{city}}", limits=limits)
            functions.invoke("reconcile", {})
            yield functions
    finally:
        upstream.stop()
