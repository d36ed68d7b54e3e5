"""C1-C3 of x402-conformance, for EVM: our buyer and the official clients pass, and what is broken is caught."""

import pytest

from tests.conformance.client_checks import CHECKS, Client
from tests.conformance.clients import CONTROLS, FAULTY, our_buyer

CONTROLLED = [pytest.param(id, client, id=f"{id}-{client.__name__}") for id in CHECKS for client in CONTROLS]
BROKEN = [pytest.param(id, build, id=f"{id}-{build.__name__}") for id, builds in FAULTY.items() for build in builds]


@pytest.mark.parametrize("id", CHECKS)
def test_our_buyer_passes(id: str) -> None:
    """The client that the demo and `python -m local.pay` use."""
    assert CHECKS[id](our_buyer) == []


@pytest.mark.parametrize(("id", "client"), CONTROLLED)
def test_an_official_client_passes(id: str, client: Client) -> None:
    """A check that nobody could pass would say nothing."""
    assert CHECKS[id](client) == []


@pytest.mark.parametrize(("id", "client"), BROKEN)
def test_a_faulty_client_is_caught(id: str, client: Client) -> None:
    """One thing broken."""
    assert CHECKS[id](client)
