"""A fake world whose state can be told from another's: the tables, the chain, the time, and what every job has heard.

Two runs that have the same ``state`` go on in the same way under the same choices: a job's memory is a function of
what it was told, in order (answers of DynamoDB, the node and the upstream, and the time whenever it went on), and
everything that jobs share is in the tables, on the chain or in the clock. To keep it so, a job draws its tokens from
a sequence of its own, and its invocations find warm only what that job's earlier ones left.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tests.support.fakes.clock import Job
from tests.support.fakes.effects import Plan
from tests.support.fakes.expressions import Item
from tests.support.fakes.world import FakeWorld
from tollgate.chain.evm import EvmChain

_READS = ("get_item", "batch_get_item", "query")
_WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")


class Stage(FakeWorld):
    """``acting`` is the name of the job that runs now; empty outside of ``together``."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.acting = ""
        self.heard: dict[str, int] = defaultdict(int)
        self._drawn: dict[str, int] = defaultdict(int)
        self._warm: dict[tuple[str, str], list[Any]] = {}
        self._chains: dict[str, EvmChain] = {}
        self._rows = 0
        super().__init__(plan)
        self.dynamo.observers.append(self._changed)
        for name in _READS + _WRITES:
            setattr(self.dynamo, name, self._overheard(getattr(self.dynamo, name)))
        self.node.batch = self._overheard(self.node.batch)  # type: ignore[method-assign]
        self.upstream.fetch = self._overheard(self.upstream.fetch)  # type: ignore[method-assign]

    def act(self, job: Job) -> None:
        """It is this job's turn: what it is about to do, and when, is part of what it knows."""
        self.acting = job.name
        _, kind, detail = job.about_to
        self._hear((kind, detail, self.clock.now))

    def state(self, open_: Sequence[Job]) -> int:
        """A number that is the same for the same state."""
        self.node.catch_up()
        return hash(
            (
                self._rows,
                self.clock.now,
                len(self.upstream.runs),
                tuple(sent.hash for sent in self.node.pool),
                tuple((n, tuple(m.sent.hash for m in block.mined)) for n, block in sorted(self.node.blocks.items())),
                tuple(sorted(self.heard.items())),
                tuple((job.name, job.wake, job.about_to[1:]) for job in open_),
            )
        )

    def _changed(self, table: str, key: str, old: Item | None, new: Item | None) -> None:
        for item in (old, new):
            if item is not None:
                self._rows ^= hash((table, key, repr(sorted(item.items()))))

    def _overheard(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def listening(*args: Any, **kwargs: Any) -> Any:
            try:
                reply = call(*args, **kwargs)
            except ClientError as error:
                self._hear(repr(error.response))
                raise
            except Exception as error:
                self._hear(repr(error))
                raise
            self._hear(repr(reply))
            return reply

        return listening

    def _hear(self, what: object) -> None:
        self.heard[self.acting] = hash((self.heard[self.acting], what))

    def _token(self) -> str:
        self._drawn[self.acting] += 1
        return f"{self._drawn[self.acting]:016x}{self.acting.encode().hex():0>16.16}"

    # What FakeWorld keeps of warm instances, for each job by itself.

    @property
    def evm(self) -> EvmChain:  # type: ignore[override]
        return self._chains.setdefault(self.acting, EvmChain(self.node, self.node.info))

    @evm.setter
    def evm(self, cold: EvmChain) -> None:
        self._chains[self.acting] = cold

    @property
    def _gateways(self) -> list[Any]:  # type: ignore[override]
        return self._warm.setdefault(("gateway", self.acting), [])

    @_gateways.setter
    def _gateways(self, empty: list[Any]) -> None:
        pass

    @property
    def _services(self) -> list[Any]:  # type: ignore[override]
        return self._warm.setdefault(("settle", self.acting), [])

    @_services.setter
    def _services(self, empty: list[Any]) -> None:
        pass
