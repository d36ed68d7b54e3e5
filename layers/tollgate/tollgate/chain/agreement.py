"""When one endpoint's word is not enough: what ends a payment, or takes a proof back, needs two (threat 58).

A provider that lags, or lies, or was taken over can say that an authorization was cancelled, or expired unused, or
that a block is gone. With one endpoint there is nobody else to ask and it is believed, at depth; with several, each
is asked by itself, and two have to say the same. A proof needs one: see ``EvmChain.find_use``.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tollgate.chain.uses import Use
from tollgate.errors import ChainUnavailable

T = TypeVar("T")
# Asks one endpoint, for so many seconds at most.
Opinion = Callable[[float], T]
ENOUGH = 2


def agreed_use(opinions: Sequence[Opinion[Use]], timeout: float) -> Use:
    """What became of an authorization by the word of enough endpoints that it failed, or of one that it was paid.

    Raises ``ChainUnavailable`` when they do not agree.
    """
    failed: list[Use] = []
    for use in _each(opinions, timeout):
        if use.proof is not None:
            return use
        if use.failure is not None:
            failed.append(use)
            if sum(one.failure == use.failure for one in failed) >= ENOUGH:
                return use
    raise ChainUnavailable("the RPC endpoints do not agree on how the authorization ended")


def agreed_absence(opinions: Sequence[Opinion[bool | None]], timeout: float) -> bool:
    """Whether something is gone, by the word of enough endpoints. ``None`` is an endpoint that cannot tell.

    Raises ``ChainUnavailable`` when they do not agree.
    """
    said: list[bool] = []
    for is_gone in _each(opinions, timeout):
        if is_gone is not None:
            said.append(is_gone)
            if said.count(is_gone) >= ENOUGH:
                return is_gone
    raise ChainUnavailable("the RPC endpoints do not agree on whether the block is gone")


def _each(opinions: Sequence[Opinion[T]], timeout: float) -> Iterator[T]:
    """The opinions of those that answer; each has an equal share of the time that is left."""
    deadline = time.monotonic() + timeout
    for asked, opinion in enumerate(opinions):
        try:
            said = opinion((deadline - time.monotonic()) / (len(opinions) - asked))
        except ChainUnavailable:
            continue
        yield said
