"""A slow upstream answers 202 with a Location: the buyer gets a link of ours, where the paid result is fetched.

    202, Location: /jobs/7            of the upstream
    202, Location: <base>/x402/results?token=<128 random bits>      to the buyer

The link is the proof: its token stands in the paid answer alone, in the query, which no access log holds. It leads to
the one URL that this upstream named for this payment, on its own origin, and only while the payment stands settled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from tollgate.gateway.call import Call, Parts
from tollgate.gateway.forwarding import destination
from tollgate.payment.record import Payment, StoredAnswer
from tollgate.payment.routes import UpstreamTarget

RESULTS_PATH = "/x402/results"
ACCEPTED = 202
# Of a workflow that says its end itself (executions.py): there is nowhere to ask.
AWAITED = ("", "")


@dataclass(frozen=True, slots=True)
class ResultLinks:
    """Links that are handed out."""

    parts: Parts

    def linked(self, call: Call, payment: Payment, answer: StoredAnswer) -> StoredAnswer:
        """The answer, with a link of ours for where the upstream says that the result will be.

        A workflow that names no place is waited for. A Location elsewhere, or one that the proxy could not call, is the
        seller's business and stays as it is.
        """
        location = next((value for name, value in answer.headers if name == "location"), None)
        upstream = call.match.route.upstream
        if answer.status != ACCEPTED or not isinstance(upstream, UpstreamTarget):
            return answer
        if location is None:
            place = AWAITED if upstream.webhook else None
        else:
            place = _place(upstream, call.match.params, call.request.raw_query, location)
        if place is None:
            return answer
        token = self.parts.new_token()
        url, query = place
        self.parts.results.keep(token, payment.id, call.match.route.id, url, query, self.parts.now())
        link = f"{self.parts.base_url}{RESULTS_PATH}?token={token}"
        headers = tuple(pair for pair in answer.headers if pair[0] != "location")
        return replace(answer, headers=(*headers, ("location", link)))


def _place(
    upstream: UpstreamTarget, params: Mapping[str, str], raw_query: str, location: str
) -> tuple[str, str] | None:
    """URL and query of a Location on the upstream's own origin that the proxy can call; else ``None``."""
    try:
        asked = destination(upstream.url, params, raw_query)
        split = urlsplit(urljoin(f"{asked.scheme}://{asked.authority}{asked.target}", location))
        url = split._replace(query="", fragment="").geturl()
        there = destination(url, {}, split.query)
    except ValueError:
        return None
    same = (there.scheme, there.host, there.port) == (asked.scheme, asked.host, asked.port)
    return (url, split.query) if same else None
