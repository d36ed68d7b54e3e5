"""The doctor on the routes: they parse, can be called, can be paid, and the upstreams are where they may be."""

import queue
import threading
from collections.abc import Collection

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.errors import ConfigurationError
from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.declaring.flows import least_max_timeout
from tollgate.gateway.declaring.prices import Prices
from tollgate.gateway.declaring.routes import MAX_OFFER_BYTES, offer_bytes
from tollgate.gateway.dialing import system_resolver
from tollgate.gateway.forwarding import destination
from tollgate.gateway.path_pattern import PathPattern
from tollgate.gateway.public_address import is_address, is_odd_literal, is_public_address, is_public_name
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.routes import ApiTarget, FunctionTarget, Route, Snapshot
from tollgate_cli.aws import Aws
from tollgate_cli.doctor_report import Report
from tollgate_cli.routes_list import said
from tollgate_cli.stack import Stack

_RESOLVE_SECONDS = 3.0
_AGAIN = "mend routes.yaml and run tollgate routes apply"


def load(stack: Stack, aws: Aws, report: Report) -> Snapshot | None:
    """The routes table as the proxy reads it; ``None`` when the proxy could not."""
    networks = [info.network for info in stack.facts.networks]
    try:
        snapshot = RoutesTable(aws.dynamodb, stack.routes_table, networks).load_with_health()
        Catalogue(snapshot)
    except (ConfigurationError, ClientError, BotoCoreError) as error:
        why = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
        report.mend("routes", f"the routes table cannot be used: {why}", "run tollgate routes apply with your file")
        return None
    return snapshot


def check(stack: Stack, snapshot: Snapshot, relayers: Collection[str], report: Report) -> None:
    """Every route, and every host once."""
    before = len(report.to_mend)
    if not snapshot.routes:
        report.note("routes", "nothing is for sale", "run tollgate routes apply with a routes.yaml")
        return
    for route in snapshot.routes:
        for problem in _problems(stack, route, relayers):
            todo = f"its owner {route.owner} has to change it; or tollgate owner remove" if route.revision else _AGAIN
            report.mend("routes", f"{route.method} {route.pattern}: {problem}", todo)
    hosts = sorted({to for route in snapshot.routes if (to := _host(route)) is not None})
    for host, port in hosts:
        why = _unreachable(host, port, allow_private=stack.facts.allow_private_upstreams)
        if why is not None:
            report.mend("upstreams", f"{host}: {why}", "mend the name's records, or the route's upstream")
    if len(report.to_mend) == before:
        count = len(snapshot.routes)
        routes = "1 route" if count == 1 else f"{count} routes"
        named = f"; upstreams: {', '.join(name for name, _ in hosts)}" if hosts else ""
        report.ok("routes", f"{routes}, version {snapshot.version}{named}")


def check_health(snapshot: Snapshot, now: int, report: Report) -> None:
    """What reconcile last saw of upstreams that say where to look. ``now`` is Unix seconds."""
    for health in snapshot.health:
        if health.up:
            report.ok("upstreams", f"{health.url} {said(health, now)}")
        else:
            sentence = f"{health.url} {said(health, now)}: it is sold as before, and not charged while it fails"
            report.note("upstreams", sentence, "see what ails it, or mend its route's health")


def _problems(stack: Stack, route: Route, relayers: Collection[str]) -> list[str]:
    found: list[str] = []
    served = {info.network: info for info in stack.facts.networks}
    for terms in route.terms:
        info = served.get(terms.network)
        if info is None:
            found.append(f"is priced on {terms.network}, which is not a network of this stack: nobody can pay there")
        elif terms.asset != info.asset(stack.facts.asset).address:
            found.append(f"is priced in {terms.asset}, but this stack collects {stack.facts.asset}")
        if str(terms.pay_to) in relayers:
            found.append(f"pays to the relayer's own address {terms.pay_to}: nobody can send on what arrives there")
        least = least_max_timeout(route.flow, route.upstream.timeout_seconds)
        if terms.max_timeout_seconds < least:
            found.append(f"maxTimeoutSeconds is {terms.max_timeout_seconds}; its upstream and settling need {least:g}")
    if route.free:
        return found
    offers = Prices(route.accepts, route.choice, route.computed).offers
    pattern = PathPattern.parse(route.pattern)
    accepts = max(offers, key=lambda offer: len(str(offer)))
    size = offer_bytes(stack.facts.base_url, route.pattern, pattern, accepts, route.description, route.mime_type)
    if size > MAX_OFFER_BYTES:
        found.append(f"its offer has up to {size} bytes, over {MAX_OFFER_BYTES}: some clients refuse the header")
    return list(dict.fromkeys(found))


def _host(route: Route) -> tuple[str, int] | None:
    if isinstance(route.upstream, FunctionTarget | ApiTarget):
        return None
    params = dict.fromkeys(PathPattern.parse(route.pattern).params, "x")
    try:
        to = destination(route.upstream.url, params, "")
    except ValueError:
        return None
    return to.host, to.port


def _unreachable(host: str, port: int, *, allow_private: bool) -> str | None:
    """Why the proxy would not connect; asked from here, so a name that only the functions' network has is a finding."""
    if is_odd_literal(host) or not (allow_private or is_address(host) or is_public_name(host)):
        return "the proxy refuses this name"
    found: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(list(system_resolver(host, port)))
        except OSError as error:
            found.put(error)

    threading.Thread(target=resolve, daemon=True).start()
    try:
        addresses = found.get(timeout=_RESOLVE_SECONDS)
    except queue.Empty:
        return f"does not resolve within {_RESOLVE_SECONDS:.0f} s"
    if isinstance(addresses, OSError) or not addresses:
        return "does not resolve"
    private = [] if allow_private else [address for address in addresses if not is_public_address(address)]
    return f"resolves to {', '.join(private)}, which is not public: the proxy refuses it" if private else None
