"""Nothing of the suite's R, F and C is left out: every id has a check, a control that passes, builds that fail."""

from collections.abc import Mapping
from typing import Any

import pytest
from x402conf.spec import CATALOG

from tests.conformance import (
    client_checks,
    clients,
    facilitator_checks,
    faulty_facilitators,
    faulty_shops,
    test_sellers,
)

# Checks by id, and the builds that each must catch; the tests run every check on a control.
FAMILIES: list[tuple[Mapping[str, Any], Mapping[str, tuple[Any, ...]]]] = [
    (test_sellers.CHECKS, faulty_shops.FAULTY),
    (facilitator_checks.CHECKS, faulty_facilitators.FAULTY),
    (client_checks.CHECKS, clients.FAULTY),
]
CHECKS = {id: check for checks, _ in FAMILIES for id, check in checks.items()}


def test_every_id_of_the_suite_is_there_once() -> None:
    """As the installed version lists them; S5 drives the suite's own doubles, so it is here too."""
    ours = [id for checks, _ in FAMILIES for id in checks]
    assert len(set(ours)) == len(ours)
    assert set(ours) == {id for id in CATALOG if id[0] in "RFC"} | {"S5"}


@pytest.mark.parametrize("id", CHECKS)
def test_every_check_has_a_faulty_build(id: str) -> None:
    """And each build is broken in its own way."""
    builds = next(faulty for checks, faulty in FAMILIES if id in checks)[id]
    assert len(set(builds)) == len(builds) >= 1
    assert all(build.__doc__ for build in builds)


def test_no_faulty_build_is_for_a_check_that_is_not_there() -> None:
    """It would never be run."""
    for checks, faulty in FAMILIES:
        assert set(faulty) == set(checks)
