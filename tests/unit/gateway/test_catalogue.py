"""Which route a request is for, and which prices it may meet."""

from dataclasses import replace

import pytest

from tollgate.errors import BadRequest, ConfigurationError
from tollgate.gateway.catalogue import (
    CACHE_SECONDS,
    Catalogue,
    MethodNotAllowed,
    NetworkStatus,
    PreviousPrice,
    Route,
    Snapshot,
    UpstreamTarget,
    merge,
)
from tollgate.gateway.path_pattern import PathPattern
from tollgate.payment.price_choice import FormerChoice, PriceChoice, Tier, Where
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

NOW = 1_800_000_000
SEPOLIA, BASE = Network(84532), Network(8453)


def requirements(amount: int = 10_000, network: Network = SEPOLIA, timeout: int = 60) -> Requirements:
    """Requirements of some route."""
    domain = {"name": "USDC", "version": "2"}
    return Requirements("exact", network, amount, Address(b"\1" * 20), Address(b"\2" * 20), timeout, domain)


def route(pattern: str, method: str = "GET", *accepts: Requirements, id: str = "") -> Route:
    """Some route."""
    return Route(
        id=id or f"{method} {pattern}",
        method=method,
        pattern=pattern,
        accepts=accepts or (requirements(),),
        previous=(),
        upstream=UpstreamTarget("https://api.example.com/", 10.0),
    )


def matched(catalogue: Catalogue, method: str, path: str) -> str:
    """The id of the matched route, or the code of the refusal."""
    try:
        return catalogue.match(method, path).route.id
    except BadRequest as refused:
        return f"{refused.status} {refused.code}"


def test_the_most_specific_pattern_wins_in_any_order() -> None:
    """Literals before params, from the left, among those that take the method."""
    routes = [route("/w/{a}/{b}"), route("/w/{a}/x"), route("/w/p/{b}"), route("/w/p/x"), route("/{z}/p/x")]
    for order in (routes, routes[::-1]):
        catalogue = Catalogue(Snapshot(tuple(order)))
        assert matched(catalogue, "GET", "/w/p/x") == "GET /w/p/x"
        assert matched(catalogue, "GET", "/w/p/y") == "GET /w/p/{b}"
        assert matched(catalogue, "GET", "/w/q/x") == "GET /w/{a}/x"
        assert matched(catalogue, "GET", "/w/q/y") == "GET /w/{a}/{b}"
        assert matched(catalogue, "GET", "/q/p/x") == "GET /{z}/p/x"


def test_a_more_specific_pattern_of_another_method_does_not_hide_a_route() -> None:
    """POST of a path that only GET names more specifically still finds its own route."""
    catalogue = Catalogue(Snapshot((route("/w/paris"), route("/w/{city}", "POST"))))
    assert matched(catalogue, "POST", "/w/paris") == "POST /w/{city}"


def test_params_are_decoded_single_segments() -> None:
    """One segment, never empty, never two."""
    catalogue = Catalogue(Snapshot((route("/w/{city}/days/{n}"),)))
    match = catalogue.match("GET", "/w/New%20York/days/3")
    assert (match.path, match.params) == ("/w/New York/days/3", {"city": "New York", "n": "3"})
    for path in ("/w/days/3", "/w/a/b/days/3", "/w/x/days/3/", "/w/x/days/"):
        assert matched(catalogue, "GET", path) == "404 unknown_route"


def test_a_trailing_slash_is_another_path() -> None:
    """404 unless the pattern has it."""
    plain, slashed = Catalogue(Snapshot((route("/a"),))), Catalogue(Snapshot((route("/a/"), route("/"))))
    assert matched(plain, "GET", "/a/") == "404 unknown_route"
    assert matched(plain, "GET", "/") == "404 unknown_route"
    assert matched(slashed, "GET", "/a/") == "GET /a/"
    assert matched(slashed, "GET", "/a") == "404 unknown_route"
    assert matched(slashed, "GET", "/") == "GET /"


def test_a30_only_the_declared_method_matches() -> None:
    """HEAD too: the 405 names what there is."""
    catalogue = Catalogue(Snapshot((route("/a"), route("/a", "POST"), route("/{x}", "PUT"))))
    for method in ("HEAD", "DELETE", "get", "ANY", "GET "):
        with pytest.raises(MethodNotAllowed) as refused:
            catalogue.match(method, "/a")
        assert refused.value.status == 405
        assert refused.value.allow == "GET, POST, PUT"


def test_tollgates_own_paths_are_refused_at_load_and_never_matched() -> None:
    """Not even by a pattern that starts with a param."""
    for pattern in ("/x402", "/x402/", "/x402/challenge", "/X402/{a}"):
        with pytest.raises(ConfigurationError, match="/x402/"):
            Catalogue(Snapshot((route(pattern),)))
    catalogue = Catalogue(Snapshot((route("/{a}/{b}"), route("/{a}"))))
    for path in ("/x402", "/x402/challenge", "/%78402/challenge", "/X402/challenge"):
        assert matched(catalogue, "GET", path) == "404 unknown_route"
    assert matched(catalogue, "GET", "/x4021/challenge") == "GET /{a}/{b}"


@pytest.mark.parametrize(
    "routes",
    [
        (route("/a/{x}"), route("/a/{y}")),
        (route("/a", id="one"), route("/b", id="one")),
        (route("/a", "ANY"),),
        (route("/a", "HEAD"),),
        (route("a"),),
    ],
)
def test_routes_that_could_not_be_served_are_refused_at_load(routes: tuple[Route, ...]) -> None:
    """Two that match the same requests, two of one id, methods that are not priced."""
    with pytest.raises(ConfigurationError):
        Catalogue(Snapshot(routes))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "//",
        "/a//b",
        "/./a",
        "/a/..",
        "/{a}/{a}",
        "/a{b}",
        "/{}",
        "/{1a}",
        "/a b",
        "/%61",
        "/a;b",
        "/a?b",
        "/é",
    ],
)
def test_patterns_that_mean_nothing_clear_are_refused(text: str) -> None:
    """A pattern is written in the canonical form that it is compared with."""
    with pytest.raises(ValueError, match=r"must|has|names"):
        PathPattern.parse(text)


def test_a69_a_network_without_gas_is_not_payable() -> None:
    """An unknown status leaves the network in: nothing is known against it."""
    routes = (route("/a", "GET", requirements(), requirements(network=BASE)),)
    catalogue = Catalogue(Snapshot(routes))
    assert catalogue.payable_networks() == {SEPOLIA, BASE}
    dry = NetworkStatus(BASE, (Address(b"\3" * 20),), has_gas=False, checked_at=NOW)
    assert Catalogue(Snapshot(routes, (dry,))).payable_networks() == {SEPOLIA}
    wet = replace(dry, has_gas=True)
    assert Catalogue(Snapshot(routes, (wet,))).payable_networks() == {SEPOLIA, BASE}


def test_a24_a_price_that_ends_stays_acceptable_for_the_cache_time_and_its_timeout() -> None:
    """Rule 8: a proxy may still offer it for the one, a buyer may use the offer for the other."""
    old = requirements(10_000, timeout=90)
    (merged,) = merge([route("/a", "GET", old)], [route("/a", "GET", requirements(20_000))], NOW)
    assert merged.accepts == (requirements(20_000),)
    assert merged.previous == (PreviousPrice(old, NOW + CACHE_SECONDS + 90),)


def test_a24_every_changed_term_counts_and_unchanged_ones_do_not() -> None:
    """payTo, network, asset and timeout are terms like the amount; a kept offer has no previous one."""
    kept, gone = requirements(), requirements(network=BASE)
    (merged,) = merge([route("/a", "GET", kept, gone)], [route("/a", "GET", kept)], NOW)
    assert [p.requirements for p in merged.previous] == [gone]
    paid_to = replace(kept, pay_to=Address(b"\7" * 20))
    (merged,) = merge([route("/a", "GET", kept)], [route("/a", "GET", paid_to)], NOW)
    assert [p.requirements for p in merged.previous] == [kept]
    (merged,) = merge([route("/a", "GET", kept)], [route("/a", "GET", kept)], NOW)
    assert merged.previous == ()


def test_a24_two_changes_in_a_row_keep_both_prices_until_each_runs_out() -> None:
    """The first keeps its own end; once ended it is dropped; one that returns is an offer again."""
    one, two, three = (requirements(n) for n in (1, 2, 3))
    first = merge([route("/a", "GET", one)], [route("/a", "GET", two)], NOW)
    second = merge(first, [route("/a", "GET", three)], NOW + 100)
    assert second[0].previous == (PreviousPrice(two, NOW + 220), PreviousPrice(one, NOW + 120))
    third = merge(second, [route("/a", "GET", three)], NOW + 121)
    assert third[0].previous == (PreviousPrice(two, NOW + 220),)
    back = merge(second, [route("/a", "GET", one)], NOW + 101)
    assert [p.requirements for p in back[0].previous] == [three, two]


def test_a24_a_route_is_the_same_by_method_and_path_whatever_its_id_and_params_are_called() -> None:
    """A buyer sees neither; another method is another route."""
    before = [route("/a/{x}", "GET", requirements(1), id="old")]
    renamed, other = merge(before, [route("/a/{y}", id="new"), route("/a/{x}", "POST")], NOW)
    assert [p.requirements.amount for p in renamed.previous] == [1]
    assert other.previous == ()


@pytest.mark.parametrize("path", ["/discovery/resources", "/Discovery/x", "/discovery", "/.well-known/x402"])
def test_a_path_that_is_tollgates_own_is_never_a_sellers(path: str) -> None:
    """A catalogue of before that time may name one: it still loads, and that route is not there."""
    catalogue = Catalogue(Snapshot((route("/discovery/resources"), route("/{a}/{b}"), route("/{a}"), route("/ok"))))
    assert matched(catalogue, "GET", path) == "404 unknown_route"
    assert matched(catalogue, "GET", "/ok") == "GET /ok"


def test_a_route_that_becomes_free_takes_no_previous_price() -> None:
    """Who still holds an offer pays nothing; a free route with a price could not be served honestly."""
    free = replace(route("/a"), accepts=(), free=True)
    (merged,) = merge([route("/a")], [free], NOW)
    assert merged == free
    for wrong in (
        replace(free, accepts=(requirements(),)),
        replace(free, previous=(PreviousPrice(requirements(), 1),)),
    ):
        with pytest.raises(ConfigurationError, match="takes no payment"):
            Catalogue(Snapshot((wrong,)))


def by_size(**prices: int) -> PriceChoice:
    """Prices by a query parameter."""
    return PriceChoice(Where.QUERY, "size", tuple(Tier(name, (requirements(p),)) for name, p in prices.items()))


def test_a24_prices_by_the_request_stay_acceptable_as_they_were() -> None:
    """A choice is kept whole, so that each request meets what it was offered; none twice, and none that stands."""
    old, new = by_size(s=1, m=5), by_size(s=2, m=6)
    tiers, other, flat = (replace(route("/a"), accepts=(), choice=c) for c in (old, new, None))
    (merged,) = merge([tiers], [other], NOW)
    assert merged.former == (FormerChoice(old, NOW + CACHE_SECONDS + 60),)
    (flattened,) = merge([merged], [replace(flat, accepts=(requirements(9),))], NOW + 1)
    assert [f.choice for f in flattened.former] == [new, old]
    (again,) = merge([flattened], [tiers], NOW + 2)
    assert ([f.choice for f in again.former], [p.requirements.amount for p in again.previous]) == ([new], [9])
    (late,) = merge([again], [tiers], NOW + 10_000)
    assert (late.former, late.previous) == ((), ())
    assert {r.amount for r in merged.payable_terms} == {1, 5, 2, 6}


def test_a_choice_without_a_price_for_each_tier_is_refused_at_load() -> None:
    """So is one beside a price for all: which would it be?"""
    for wrong in (
        replace(route("/a"), choice=by_size(s=1)),
        replace(route("/a"), accepts=(), choice=PriceChoice(Where.QUERY, "size", (Tier("s", ()),))),
    ):
        with pytest.raises(ConfigurationError, match="every tier has one"):
            Catalogue(Snapshot((wrong,)))
