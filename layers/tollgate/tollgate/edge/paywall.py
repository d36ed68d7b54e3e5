"""What a person sees who opens a priced URL in a browser: a small page without scripts, instead of raw JSON.

The rule for when is the official SDK's (``Accept`` holds text/html and ``User-Agent`` Mozilla); the
offer still travels in PAYMENT-REQUIRED, so that a wallet's extension can pay. Every value is escaped:
descriptions are the seller's text.
"""

from collections.abc import Mapping
from html import escape

from tollgate.gateway.pricing import format_dollars
from tollgate.payment.networks import network_info
from tollgate.wire.models import PaymentRequired, Requirements

# Nothing is loaded, nothing runs, nobody frames it.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payment required</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 10vh auto; padding: 0 1rem; color: #1a1a1a; }}
h1 {{ font-size: 1.4rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }}
code {{ font-size: .9em; }}
</style>
</head>
<body>
<h1>402: this costs {price}</h1>
<p>{description}</p>
<p><code>{url}</code></p>
<table>
<tr><th>Price</th><th>Network</th><th>Paid to</th></tr>
{rows}
</table>
<p>It is paid per call with <a href="https://www.x402.org">x402</a>: open it with an x402 client or wallet, which signs
a payment and sends the request again. Nothing is charged unless you get the answer.</p>
</body>
</html>
"""


def wants_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks; header names are lower case."""
    return "text/html" in headers.get("accept", "") and "Mozilla" in headers.get("user-agent", "")


def paywall(required: PaymentRequired) -> bytes:
    """The page for an offer."""
    rows = "\n".join(
        f"<tr><td>{escape(_price(r))}</td><td>{escape(network_info(r.network).name)}</td>"
        f"<td><code>{escape(str(r.pay_to))}</code></td></tr>"
        for r in required.accepts
    )
    page = _PAGE.format(
        price=escape(_price(required.accepts[0])),
        description=escape(required.resource.description or "Payment required."),
        url=escape(required.resource.url),
        rows=rows,
    )
    return page.encode()


def _price(requirements: Requirements) -> str:
    asset = network_info(requirements.network).asset(requirements.asset.lower)
    return f"{format_dollars(requirements.amount, asset)} {asset.symbol}"
