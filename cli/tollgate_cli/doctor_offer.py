"""The doctor from outside: what a buyer is told, and what another facilitator answers."""

from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from tollgate.errors import BadRequest
from tollgate.gateway.path_pattern import PathPattern
from tollgate.payment.price_choice import Where
from tollgate.payment.routes import Route, Snapshot
from tollgate.wire import strict_json
from tollgate.wire.headers import PAYMENT_REQUIRED, decode
from tollgate_cli.doctor_report import Report
from tollgate_cli.stack import Stack

_SECONDS = 15.0
_MAX_BYTES = 1024 * 1024


def check_offer(stack: Stack, snapshot: Snapshot, report: Report) -> None:
    """An unpaid request to the first route must get that route's offer, under the public URL."""
    out_of_gas = {status.network for status in snapshot.networks if not status.has_gas}
    route = next(
        (r for r in snapshot.routes if _askable(r) and any(t.network not in out_of_gas for t in r.terms)), None
    )
    if route is None:
        return
    url = stack.facts.base_url + _example_path(route) + _example_query(route)
    elsewhere = "see where PublicBaseUrl points: its DNS, CDN or custom domain must lead to this stack's API"
    try:
        status, header, _ = ask(route.method, url)
    except (HTTPError, OSError) as error:
        report.mend("public url", f"{url} cannot be reached ({type(error).__name__})", elsewhere)
        return
    if status != 402:
        report.mend("public url", f"{route.method} {url} without payment answers {status}, not 402", elsewhere)
        return
    try:
        offer = decode(header)
        resource, terms = str(offer["resource"]["url"]), [_terms(item) for item in offer["accepts"]]
    except (BadRequest, KeyError, TypeError, ValueError):
        todo = "something between buyers and this stack changes or drops the PAYMENT-REQUIRED header: let it through"
        report.mend("public url", f"{url} answers 402 without a readable offer", todo)
        return
    # A proxy may offer what was replaced a moment ago.
    ours = {_terms(requirements.to_json()) for requirements in route.payable_terms}
    if not resource.startswith(stack.facts.base_url + "/") or not set(terms) <= ours:
        sentence = f"{url} makes another offer than this stack: for {resource}, or on other terms than the routes have"
        report.mend("public url", sentence, f"{elsewhere}; after an apply, wait a minute and look again")
        return
    report.ok("public url", f"{url} makes this stack's offer")


def check_facilitator(stack: Stack, report: Report) -> None:
    """Other facilitators must answer /supported, and each settle on every network of this stack."""
    for url in stack.facilitator_url.split(","):
        _check_facilitator(url + "/supported", stack, report)


def _check_facilitator(url: str, stack: Stack, report: Report) -> None:
    todo = "see FacilitatorUrl and FacilitatorSecretName, or deploy without them to settle here"
    try:
        status, _, body = ask("GET", url)
        kinds = strict_json.loads(body, max_bytes=_MAX_BYTES)["kinds"] if status == 200 else []
        networks = {str(k["network"]) for k in kinds if k["x402Version"] == 2 and k["scheme"] == "exact"}
    except (HTTPError, OSError) as error:
        report.mend("facilitator", f"{url} cannot be reached ({type(error).__name__})", todo)
        return
    except (BadRequest, KeyError, TypeError, ValueError):
        report.mend("facilitator", f"{url} answers something else than its kinds", todo)
        return
    if status in (401, 403):
        report.note("facilitator", f"{url} wants its headers (HTTP {status}); this machine does not read secrets")
        return
    missing = [info.name for info in stack.facts.networks if str(info.network) not in networks]
    if status != 200:
        report.mend("facilitator", f"{url} answers {status}", todo)
    elif missing:
        report.mend("facilitator", f"{url} does not list exact payments on {', '.join(missing)}", todo)
    else:
        report.ok("facilitator", f"{url} lists every network of this stack")


def ask(method: str, url: str) -> tuple[int, str, bytes]:
    """Status, PAYMENT-REQUIRED and body of one request. Raises urllib3's ``HTTPError`` or ``OSError``."""
    with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=_SECONDS)) as pool:
        answer = pool.request(method, url, redirect=False, preload_content=False)
        body = answer.read(_MAX_BYTES)
        answer.close()
        return answer.status, answer.headers.get(PAYMENT_REQUIRED, ""), body


def _terms(item: Any) -> tuple[str, str, str, str]:
    return (str(item["network"]), str(item["amount"]), str(item["asset"]).lower(), str(item["payTo"]).lower())


def _example_path(route: Route) -> str:
    parts = ["doctor" if is_param else text for is_param, text in PathPattern.parse(route.pattern).segments]
    return "/" + "/".join(parts)


def _askable(route: Route) -> bool:
    """Whether a request without a body has a price that is known here."""
    return route.computed is None and (route.choice is None or route.choice.where is Where.QUERY)


def _example_query(route: Route) -> str:
    return "" if route.choice is None else f"?{route.choice.field}={route.choice.tiers[0].value}"
