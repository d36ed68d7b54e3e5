"""What an apply says it changes is what it changes."""

from dataclasses import replace

from tollgate.gateway.catalogue import merge
from tollgate.gateway.declaring.changes import changes, still_accepted
from tollgate.payment.networks import network_info
from tollgate.payment.price_choice import PriceChoice, Tier, Where
from tollgate.payment.rate_limits import RateLimit, RouteLimits
from tollgate.payment.routes import Route, UpstreamHeader, UpstreamTarget
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

NOW = 1_800_000_000
USDC = network_info("base-sepolia").asset("USDC")
PRICE = Requirements(
    "exact", Network(84532), 10_000, USDC.address, Address(b"\2" * 20), 60, {"name": "USDC", "version": "2"}
)
ROUTE = Route("a", "GET", "/a", (PRICE,), (), UpstreamTarget("https://api.example.com/a", 10.0))


def test_an_added_a_changed_and_a_removed_route_are_told_apart() -> None:
    """One line for each field that differs, prices in dollars."""
    dearer = replace(ROUTE, accepts=(replace(PRICE, amount=25_000),))
    new = replace(ROUTE, id="b", pattern="/b")
    found = changes([ROUTE, replace(ROUTE, id="c", pattern="/c")], [dearer, new])
    assert [(c.kind, c.route) for c in found] == [
        ("change", "GET /a"),
        ("add", "GET /b"),
        ("remove", "GET /c"),
    ]
    assert found[0].lines() == ["~ GET /a", "    price on base-sepolia: $0.01 USDC -> $0.025 USDC"]
    assert "    upstream: https://api.example.com/a" in found[1].lines()
    assert found[2].lines() == ["- GET /c"]


def test_every_field_of_a_route_is_seen_when_it_changes() -> None:
    """A change that is not shown would be applied unseen."""
    others = [
        replace(ROUTE, id="z"),
        replace(ROUTE, accepts=(replace(PRICE, amount=1),)),
        replace(ROUTE, accepts=(replace(PRICE, pay_to=Address(b"\7" * 20)),)),
        replace(ROUTE, accepts=(replace(PRICE, asset=Address(b"\7" * 20)),)),
        replace(ROUTE, accepts=(replace(PRICE, max_timeout_seconds=90),)),
        replace(ROUTE, accepts=(replace(PRICE, extra={"name": "USD Coin", "version": "2"}),)),
        replace(ROUTE, accepts=(PRICE, replace(PRICE, network=Network(8453)))),
        replace(ROUTE, upstream=UpstreamTarget("https://api.example.com/z", 10.0)),
        replace(ROUTE, upstream=UpstreamTarget("https://api.example.com/a", 9.5)),
        replace(
            ROUTE, upstream=UpstreamTarget("https://api.example.com/a", 10.0, (UpstreamHeader("X-Key", secret="s"),))
        ),
        replace(ROUTE, description="z"),
        replace(ROUTE, mime_type="text/plain"),
        replace(ROUTE, source_address_resends=False),
        replace(ROUTE, accepts=(), free=True),
        replace(ROUTE, accepts=(), choice=PriceChoice(Where.QUERY, "q", (Tier("a", (PRICE,)),))),
        replace(ROUTE, limits=RouteLimits(RateLimit(60, 60))),
        replace(ROUTE, owner=Address(b"\7" * 20)),
        replace(ROUTE, fee_bps=250),
        replace(ROUTE, limits=RouteLimits(None, RateLimit(60, 7))),
    ]
    for other in others:
        (change,) = changes([ROUTE], [other])
        assert len(change.lines()) > 1
    two = replace(ROUTE, accepts=(PRICE, replace(PRICE, network=Network(8453))))
    (order,) = changes([two], [replace(two, accepts=two.accepts[::-1])])
    assert order.lines() == ["~ GET /a", "    networks: base-sepolia, base -> base, base-sepolia"]
    assert changes([ROUTE], [ROUTE]) == []


def test_a_price_that_is_still_accepted_is_said() -> None:
    """With how long it will be."""
    merged = merge([ROUTE], [replace(ROUTE, accepts=(replace(PRICE, amount=25_000),))], NOW)
    assert still_accepted(merged, NOW) == ["GET /a: $0.01 USDC on base-sepolia stays acceptable for 120 s"]
