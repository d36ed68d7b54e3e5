"""Attacks on the choice of the route, and so of the price."""

import pytest

from tollgate.errors import BadRequest, ConfigurationError
from tollgate.gateway.catalogue import Catalogue, Route, Snapshot, UpstreamTarget
from tollgate.payment.route_json import routes_from_json, routes_to_json
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

ALIASES = [
    "//api/x", "/api//x", "///api/x", "/api/x/", "/api/x//", "/./api/x", "/api/./x", "/api/x/.", "/../api/x",
    "/api/../api/x", "/api/x/..", "/api/y/../x", "\\api\\x", "/api\\x", "/\\api/x", "/api%2Fx", "/api%2fx",
    "/api%252Fx", "/api%25252Fx", "/api%5Cx", "/api%5cx", "/%2e/api/x", "/api/%2e%2e/api/x",
    "/api/.%2e/api/x", "/api/%78", "/%61pi/x", "/api/%2578", "/api/x%", "/api/x%2", "/api/x%zz",
    "/api%c0%afx", "/api/%c0%ae%c0%ae/x", "/api/x%00", "/api/x%0a", "/api/x\n", "/api/x%0d%0aX: y",
    "/api/x;a=b", "/api;a=b/x", "/api/x%3ba", "/API/X", "/api/X", "/api/x?y", "/api/x%3fy",
    "/api/x#y", "/api/x%20", "/api/x%e2%80%8b", "/api/\uff58", "api/x", "",
]  # fmt: skip


def _route(id: str, pattern: str, amount: int) -> Route:
    accepts = Requirements(
        "exact",
        Network(84532),
        amount,
        Address(b"\1" * 20),
        Address(b"\2" * 20),
        60,
        {"name": "USDC", "version": "2"},
    )
    return Route(id, "GET", pattern, (accepts,), (), UpstreamTarget("https://api.example.com/x", 10.0))


CATALOGUE = Catalogue(Snapshot((_route("dear", "/api/x", 1_000_000),)))


@pytest.mark.parametrize("alias", ALIASES)
def test_a29_an_alias_of_a_priced_path_is_400_404_or_the_same_route(alias: str) -> None:
    """Default deny: no spelling of the path gets past its price or to another text than is priced."""
    assert CATALOGUE.match("GET", "/api/x").route.id == "dear"
    try:
        match = CATALOGUE.match("GET", alias)
    except BadRequest as refused:
        assert (refused.status, refused.code) in {(400, "ambiguous_path"), (404, "unknown_route")}
    else:
        assert (match.route.id, match.path) == ("dear", "/api/x")


@pytest.mark.parametrize("alias", ALIASES)
def test_a29_an_alias_never_reaches_a_cheaper_route_with_the_dear_path(alias: str) -> None:
    """Beside a cheap catch-all, what the cheap route takes cannot be read as the dear path."""
    catalogue = Catalogue(Snapshot((_route("dear", "/api/x", 1_000_000), _route("cheap", "/api/{rest}", 1))))
    try:
        match = catalogue.match("GET", alias)
    except BadRequest:
        return
    if match.route.id == "cheap":
        assert match.path.startswith("/api/")
        assert match.params["rest"] != "x"
        assert not set(match.params["rest"]) & set("/\\?#%;\n\r\0")


def test_a29_at_least_forty_aliases_are_tried() -> None:
    """What the list of threats asks for."""
    assert len(set(ALIASES)) >= 40


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "G\u0045T ", "*"])
def test_a30_a_method_that_is_not_declared_is_405(method: str) -> None:
    """The path is known, the method is not sold."""
    with pytest.raises(BadRequest) as refused:
        CATALOGUE.match(method, "/api/x")
    assert (refused.value.status, refused.value.code) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"amount":"1000000"', '"amount":"0"'),
        ('"amount":"1000000"', '"amount":"-1"'),
        ('"amount":"1000000"', '"amount":1000000'),
        ('"amount":"1000000"', '"amount":"1","amount":"1000000"'),
        ('"amount":"1000000"', '"amount":"1000000","discount":"1"'),
        ('"scheme":"exact"', '"scheme":"upto"'),
        ('"payTo":', '"pay_to":'),
        ('"maxTimeoutSeconds":60', '"maxTimeoutSeconds":60.5'),
        ('"timeoutSeconds":10.0', '"timeoutSeconds":NaN'),
        ('"timeoutSeconds":10.0', '"timeoutSeconds":0'),
        ('"sourceAddressResends":true', '"sourceAddressResends":1'),
        ('"format":1', '"format":2'),
        ('"format":1', '"format":true'),
        ('"previous":[]', '"previous":[{"requirements":{},"until":1}]'),
        ("]}", "]"),
    ],
)
def test_a26_a_routes_item_that_was_tampered_with_is_not_served_from(old: str, new: str) -> None:
    """Reading is as strict as writing: a zero price or an unknown term stops the load, loudly."""
    text = routes_to_json(CATALOGUE.snapshot.routes)
    assert routes_from_json(text) == CATALOGUE.snapshot.routes
    assert old in text
    with pytest.raises(ConfigurationError, match="routes"):
        routes_from_json(text.replace(old, new))
