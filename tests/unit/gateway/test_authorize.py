"""What an authorizer makes of an outcome: default deny, and an unknown outcome is never an unpaid one."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.payments import NOW, some_claim, some_word
from tollgate.edge.answers import ROWS
from tollgate.gateway.api_routes import of_the_authorizer, of_the_proxy
from tollgate.gateway.authorize import Access, Authorizer, access_of
from tollgate.gateway.catalogue import Catalogue, Route
from tollgate.gateway.deliver import Deliverer
from tollgate.gateway.known import KnownPayments
from tollgate.gateway.messages import Request
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.payment.events import NullJournal
from tollgate.payment.record import Payment
from tollgate.payment.routes import ApiTarget, PreviousPrice, Snapshot, UpstreamTarget
from tollgate.payment.states import Flow, State
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

API = ApiTarget("https://api.example/prod")
TERMS = Requirements("exact", Network(84532), 5, Address(b"\x01" * 20), Address(b"\x02" * 20), 60, {})
UPFRONT = Requirements(
    "exact", Network(84532), 5, Address(b"\x01" * 20), Address(b"\x02" * 20), 60, {"paymentFlow": "upfront"}
)


def test_a78_only_an_offer_or_what_cannot_be_read_is_unpaid_and_only_a_grant_passes() -> None:
    """Every kind of outcome there is; what answers 503 at the proxy is undecided, or spent, and never an offer."""
    for kind, row in ROWS.items():
        access = access_of(Outcome(kind, status=400))
        assert (access is Access.GRANTED) == (kind is Kind.GRANTED)
        assert (access is Access.UNPAID) == (kind is Kind.BAD_REQUEST), kind
        if row.status == 409:
            assert access is Access.SPENT
        if row.status == 503:
            assert access is Access.UNDECIDED
    for status in (404, 405):
        assert access_of(Outcome(Kind.BAD_REQUEST, status=status)) is Access.UNDECIDED


@pytest.mark.parametrize("granted_now", [True, False])
def test_a_granted_payment_lets_only_its_own_invocation_through(granted_now: bool) -> None:
    """However well a resend proves that it is the buyer's: GRANTED is once."""
    payment = Payment(
        some_claim(flow=Flow.UPFRONT, grants=True),
        State.GRANTED,
        1,
        transaction=some_word(),
        ours=True,
        served_at=NOW,
        granted_now=granted_now,
    )
    parts: Any = SimpleNamespace(journal=NullJournal(), domain="api.example", base_url="https://api.example")
    route = Route("r", "GET", "/weather", (UPFRONT,), (), API)
    call: Any = SimpleNamespace(match=SimpleNamespace(route=route, path="/weather"))
    unused: Any = None
    known = KnownPayments(parts, unused, Deliverer(parts), unused)
    outcome = known.outcome(call, payment, answer=None, owner=True)
    assert access_of(outcome) is (Access.GRANTED if granted_now else Access.SPENT)


def test_no_route_is_both_the_proxys_and_the_authorizers() -> None:
    """And terms that do not settle first are none of the authorizer's, whoever still holds an offer of them."""
    before = PreviousPrice(TERMS, NOW)
    api = Route("api", "GET", "/a", (UPFRONT,), (before, PreviousPrice(UPFRONT, NOW)), API)
    other = Route("other", "GET", "/b", (TERMS,), (), UpstreamTarget("https://up.example", 5.0))
    free = Route("free", "GET", "/c", (), (), API, free=True)
    snapshot = Snapshot((api, other, free))
    assert [route.id for route in of_the_proxy(snapshot).routes] == ["other"]
    (own,) = of_the_authorizer(snapshot).routes
    assert (own.id, own.previous) == ("api", (PreviousPrice(UPFRONT, NOW),))


@pytest.mark.parametrize(
    ("resource", "passes"),
    [
        ("/weather/{city}", True),
        ("/weather/{name}", True),
        ("/weather/berlin", False),
        ("/{proxy+}", False),
        ("/weather", False),
    ],
)
def test_a29_the_route_must_have_the_shape_of_the_resource_that_serves_it(resource: str, passes: bool) -> None:
    """Whatever the parameters are called; else nothing is offered, and nothing is taken."""
    catalogue = Catalogue(Snapshot((Route("r", "GET", "/weather/{city}", (UPFRONT,), (), API),)))
    asked: list[Request] = []
    gateway: Any = SimpleNamespace(
        catalogues=SimpleNamespace(current=lambda: catalogue),
        handle=lambda request, deadline: asked.append(request) or Outcome(Kind.GRANTED),
        parts=SimpleNamespace(journal=NullJournal()),
    )
    request = Request("GET", "/weather/berlin", "", {}, b"", "192.0.2.1")
    access, _ = Authorizer(gateway).decide(request, resource, NOW)
    assert access is (Access.GRANTED if passes else Access.UNDECIDED)
    assert bool(asked) == passes
