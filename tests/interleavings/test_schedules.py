"""Two and three requests at once, over all schedules of their effects; what is compared at the end is in scenes.py.

`make test` walks every schedule of the shorter scenes and, of the longer ones, those with one preemption;
`make interleavings` walks them all, and lets jobs be slow while time passes.
"""

import pytest

from tests.interleavings import scenes
from tests.interleavings.explore import Explorer, Figures
from tests.interleavings.report import FULL, publish
from tests.interleavings.scenes import Scene

SHORT: tuple[type[Scene], ...] = (
    scenes.SamePayment,
    scenes.UpstreamFails,
    scenes.Copied,
    scenes.OneBalance,
    scenes.LastPlace,
    scenes.LastPlaceOfANewWindow,
    scenes.PaidFirst,
    scenes.TwoSettles,
    scenes.TwoReconcilers,
    scenes.TwoReconcilersOverTheUnserved,
    scenes.ResendAndReconcileTheUnserved,
)
LONG: tuple[type[Scene], ...] = (
    scenes.TwoBuyers,
    scenes.PaidFirstAndFailed,
    scenes.TwoReconcilersOverThePaid,
    scenes.ResendAndReconcile,
    scenes.SecondPayment,
    scenes.TwoSecondPayments,
    scenes.SecondPaymentAndReconcile,
)
# Of one payment and its own requests: a copy, or a second payment, that comes first is another story.
SLOW: tuple[type[Scene], ...] = (
    scenes.UpstreamFails,
    scenes.TwoSettles,
    scenes.TwoReconcilers,
    scenes.TwoReconcilersOverTheUnserved,
    scenes.ResendAndReconcileTheUnserved,
)
THREE: tuple[type[Scene], ...] = (scenes.SamePaymentThrice, scenes.CopiedAndResent, scenes.TwoResendsAndReconcile)

# The longest walk takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

full = pytest.mark.skipif(not FULL, reason="make interleavings walks it")


def name(scene: type[Scene]) -> str:
    """A test's id."""
    return scene.__name__


@pytest.mark.parametrize("scene", SHORT, ids=name)
def test_a36_every_schedule_of_two_keeps_every_promise(scene: type[Scene]) -> None:
    """No bound: the walk ends when every state was walked on from."""
    figures = Explorer(scene).explore()
    publish(name(scene), figures)
    assert figures.covered > figures.walked


@pytest.mark.parametrize("scene", LONG, ids=name)
def test_a36_every_schedule_of_two_longer_ones_keeps_every_promise(scene: type[Scene]) -> None:
    """With one preemption, unless everything is walked."""
    publish(name(scene), Explorer(scene, preemptions=None if FULL else 1).explore())


@pytest.mark.parametrize("scene", THREE, ids=name)
def test_a36_three_at_once_keep_every_promise(scene: type[Scene]) -> None:
    """With one preemption; two when everything is walked."""
    publish(f"{name(scene)}, bounded", Explorer(scene, preemptions=2 if FULL else 1).explore())


def test_a42_a_slow_owner_does_nothing_once_its_lease_has_run_out() -> None:
    """It stands still at every stop in turn, for as long as reconcile needs to end its payment, and then goes on."""
    figures = Explorer(scenes.SlowOwner, stalls=1, preemptions=1).explore()
    publish("SlowOwner, one stands still", figures)
    assert figures.walked > 10


@full
@pytest.mark.parametrize("scene", SLOW, ids=name)
def test_one_of_two_stands_still_at_every_stop(scene: type[Scene]) -> None:
    """One stall, one preemption: time passes for one of them only."""
    publish(f"{name(scene)}, one stands still", Explorer(scene, stalls=1, preemptions=1).explore())


@full
@pytest.mark.parametrize("scene", [*THREE, *LONG], ids=name)
def test_a_sample_of_schedules_in_which_anybody_may_be_slow(scene: type[Scene]) -> None:
    """Three stalls, preemptions without bound; the seed is fixed."""
    publish(f"{name(scene)}, sample", Explorer(scene, stalls=3).sample(40, seed=36))


def test_the_walk_finds_all_schedules_and_only_once() -> None:
    """The control: what it says it covered is the number of ways to shuffle two sequences of four stops."""
    figures: Figures = Explorer(scenes.UpstreamFails).explore()
    assert figures.covered == 70
    assert figures.walked + figures.merged < 70
