"""R0-R24, F6 and F9 of x402-conformance, for EVM: Tollgate and a control pass, and what is broken is caught."""

from collections.abc import Iterator

import pytest

from local.chain import Chain
from tests.conformance import seller_basics, seller_binding, seller_credit, seller_delivery, seller_once
from tests.conformance.faulty_shops import FAULTY
from tests.conformance.hostile import NOT_PAID
from tests.conformance.reference_shop import ReferenceShop
from tests.conformance.tollgate_shop import TollgateShop

_MODULES = (seller_basics, seller_binding, seller_once, seller_delivery, seller_credit)
CHECKS = {id: check for module in _MODULES for id, check in module.CHECKS.items()}
# Those whose facilitator has to misbehave, or be slow, cannot be run on our own settle.
WITH_OUR_OWN_SETTLE = sorted(set(CHECKS) - set(NOT_PAID) - {"R18", "R20a", "R20b", "F6", "F9"})


@pytest.fixture(autouse=True)
def mining(chain: Chain) -> Iterator[None]:
    """Whatever a check stopped runs again."""
    chain.mine_at_once()
    yield
    chain.mine_at_once()
    chain.mine()


@pytest.mark.parametrize("id", CHECKS)
def test_tollgate_passes(id: str, aws_endpoint: str, chain: Chain) -> None:
    """The gateway, settling through a remote facilitator that may do anything."""
    shop = TollgateShop(aws_endpoint, chain)
    try:
        assert CHECKS[id](shop) == []
    finally:
        shop.close()


@pytest.mark.parametrize("id", WITH_OUR_OWN_SETTLE)
def test_tollgate_passes_with_its_own_settle(id: str, aws_endpoint: str, chain: Chain) -> None:
    """The gateway as most will deploy it."""
    shop = TollgateShop(aws_endpoint, chain, own=True)
    try:
        assert CHECKS[id](shop) == []
    finally:
        shop.close()


@pytest.mark.parametrize("id", CHECKS)
def test_the_control_passes(id: str, chain: Chain) -> None:
    """A check that nobody could pass would say nothing."""
    shop = ReferenceShop(chain)
    try:
        assert CHECKS[id](shop) == []
    finally:
        shop.close()


BROKEN = [pytest.param(id, build, id=f"{id}-{build.__name__}") for id, builds in FAULTY.items() for build in builds]


@pytest.mark.parametrize(("id", "build"), BROKEN)
def test_a_faulty_build_is_caught(id: str, build: type[ReferenceShop], chain: Chain) -> None:
    """The control with one thing broken."""
    shop = build(chain)
    try:
        assert CHECKS[id](shop)
    finally:
        shop.close()
