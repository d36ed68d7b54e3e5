"""F1-F14 and S5 of x402-conformance, for EVM: Tollgate passes, a control passes, and what is broken is caught."""

from collections.abc import Iterator

import pytest

from local.chain import Chain
from tests.conformance.facilitator import TollgateFacilitator
from tests.conformance.facilitator_checks import CHECKS
from tests.conformance.faulty_facilitators import FAULTY
from tests.conformance.reference_facilitator import ReferenceFacilitator
from tests.support.functions import Functions

BROKEN = [pytest.param(id, build, id=f"{id}-{build.__name__}") for id, builds in FAULTY.items() for build in builds]


@pytest.fixture(autouse=True)
def mining(chain: Chain) -> Iterator[None]:
    """Whatever a check stopped runs again."""
    chain.mine_at_once()
    yield
    chain.mine_at_once()
    chain.mine()


@pytest.mark.parametrize("id", CHECKS)
def test_tollgate_passes(id: str, functions: Functions) -> None:
    """Its HTTP API, for a seller with a key."""
    assert CHECKS[id](TollgateFacilitator(functions)) == []


@pytest.mark.parametrize("id", CHECKS)
def test_the_control_passes(id: str, chain: Chain) -> None:
    """A check that nobody could pass would say nothing."""
    assert CHECKS[id](ReferenceFacilitator(chain)) == []


@pytest.mark.parametrize(("id", "build"), BROKEN)
def test_a_faulty_build_is_caught(id: str, build: type[ReferenceFacilitator], chain: Chain) -> None:
    """The control with one thing broken."""
    assert CHECKS[id](build(chain))
