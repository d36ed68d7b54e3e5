"""Health from the schedule to the listings, on the functions themselves."""

from typing import Any

import pytest

from tests.support.functions import Functions
from tests.support.upstream import CountingUpstream, answers, sunny
from tollgate.payment.routes import UpstreamTarget


@pytest.fixture
def upstream() -> Any:
    """One that says how it is."""
    made = CountingUpstream()
    yield made
    made.stop()


def test_what_reconcile_saw_is_listed_and_decides_nothing(functions: Functions, upstream: CountingUpstream) -> None:
    """Up, then down: said in every listing without a word of where; what is sold is sold as before."""
    functions.sell("GET", "/tea", UpstreamTarget(upstream.url + "/tea", 5.0, health="/healthz"))
    functions.sell("GET", "/milk", upstream.url + "/milk")
    for behaviour, up in ((sunny, True), (answers(503), False)):
        upstream.behave(behaviour)
        functions.invoke("reconcile", {})
        functions.cold()
        for url, place in (("/discovery/resources", "items"), ("/.well-known/x402", "items")):
            tea, milk = functions.request("GET", url).json()[place]
            assert tea["availability"]["up"] is up
            assert tea["availability"]["checkedAt"] > 1_700_000_000
            assert "availability" not in milk
            assert b"healthz" not in functions.request("GET", url).body
    assert [path for _, path, _, _ in upstream.seen] == ["/healthz"] * 2
    assert functions.request("GET", "/tea").status == 402
    upstream.behave(sunny)
    payment = functions.sign(functions.buyer(), functions.offer("GET", "/tea"))
    assert functions.request("GET", "/tea", payment=payment).status == 200
