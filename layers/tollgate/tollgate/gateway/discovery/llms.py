"""``/llms.txt``: the same for a model that reads prose (https://llmstxt.org: a title, a summary, sections)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.listing import Listed, listed, price_of
from tollgate.payment.networks import network_info
from tollgate.payment.states import Flow
from tollgate.payment.terms import flow_of
from tollgate.wire.models import Requirements

_HOW = """\
## How to pay

1. Send the request without a payment. The answer is 402; its header PAYMENT-REQUIRED is base64 of JSON, with one entry
   in `accepts` for each network and token that is taken.
2. Sign one of them. Any x402 v2 client does it (scheme `exact`: an EIP-3009 authorization, without gas of yours), and
   sends the same request again with the header PAYMENT-SIGNATURE.
3. The answer comes with the header PAYMENT-RESPONSE: the receipt, with the transaction. What the API itself refuses or
   fails at (4xx, 5xx) is not charged, or owed back where the payment is settled first.

If an answer gets lost, or is a 503, send the *same* payment again, never a new one: it is charged once, and a
payment-identifier (an extension that the offer names) gets you the same answer. The 402 is what counts: a price here
may be a minute old.
"""


def llms_txt(catalogue: Catalogue, base_url: str) -> str:
    """The text, in Markdown."""
    found = listed(catalogue)
    lines = [
        f"# {urlsplit(base_url).netloc}",
        "",
        "> An HTTP API that is paid per call, in stablecoins, over x402 (HTTP 402 Payment Required). No account.",
        "",
        "## What is sold",
        "",
        *(_line(one, base_url) for one in found),
    ]
    if not found:
        lines.append("Nothing at the moment.")
    links = [
        "## More",
        "",
        f"- [OpenAPI]({base_url}/openapi.json): parameters, bodies and answers of each of them",
        f"- [Resources]({base_url}/discovery/resources): the list for programs; `/discovery/search?query=` searches it",
        f"- [Configuration]({base_url}/x402/config): networks, tokens, lowest and highest price",
        f"- [Challenge]({base_url}/x402/challenge?method=GET&path=/): the offer of a method and path",
    ]
    return "\n".join([*lines, "", _HOW, *links, ""])


def _line(one: Listed, base_url: str) -> str:
    prices = _prices(one.accepts)
    if one.choice is not None:
        by_value = "; ".join(f"{'else' if value is None else value}: {_prices(offers)}" for value, offers in one.tiers)
        prices = f"by `{one.choice.field}` in the {one.choice.where.value} ({by_value})"
    if one.computed_for is not None:
        prices = (
            f"computed for each request ({prices}: the least and the most); an offer is good for {one.computed_for} s"
        )
    first = " (settled before it runs)" if flow_of(one.accepts[0]) is Flow.UPFRONT else ""
    what = f". {one.description}" if one.description else ""
    return f"- `{one.method} {base_url}{one.pattern}`: {prices}{first}{what}"


def _prices(offers: Iterable[Requirements]) -> str:
    return " or ".join(f"{price_of(r)} on {network_info(r.network).name}" for r in offers)
