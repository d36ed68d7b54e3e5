"""Where routes say that their upstreams can be looked at; reconcile does.

What is known decides nothing: a route whose upstream is down is sold as before, and its calls are not charged.
"""

from urllib.parse import urlsplit

from tollgate.payment.routes import Route, UpstreamTarget


def health_url(route: Route) -> str | None:
    """Where a route's upstream says how it is: a path on the upstream's own origin; ``None`` where it says no place."""
    upstream = route.upstream
    if not isinstance(upstream, UpstreamTarget) or not upstream.health:
        return None
    parts = urlsplit(upstream.url)
    return f"{parts.scheme}://{parts.netloc}{upstream.health}"
