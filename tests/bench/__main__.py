"""``python -m tests.bench``: measure, print the tables, and write docs/benchmarks.md."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from local.anvil import Anvil
from local.build import built_template
from local.chain import Chain
from local.ministack import MiniStack
from local.paths import ROOT
from local.progress import step
from tests.bench import checking, footprint, serving
from tests.bench.counts import count_everything
from tests.bench.page import PAGE, page, sections
from tests.bench.results import Results, where
from tests.bench.serving import Scale
from tests.bench.shop import a_shop

Section = Callable[[Results], None]

_FULL = Scale(rounds=12, per_round=10, callers=4, cold_starts=10)
_QUICK = Scale(rounds=2, per_round=4, callers=2, cold_starts=1)


def _checking(results: Results) -> None:
    with step("checking one signed payment"):
        results.checking = checking.run(15 if results.quick else 200)


def _footprint(results: Results) -> None:
    built_template()
    with step("loading everything in fresh interpreters"):
        results.footprint = footprint.run(1 if results.quick else 9)
        results.layer_mb = footprint.layer_mb()


def _counts(results: Results) -> None:
    with _servers() as (endpoint, chain), step("counting requests"), _quiet(), a_shop(endpoint, chain) as functions:
        results.counts = count_everything(functions)


def _in_process(results: Results) -> None:
    with _servers() as (endpoint, chain), step("calls in one process"), _quiet():
        results.in_process = serving.in_process(endpoint, chain, _scale(results))


def _deployed(results: Results) -> None:
    built_template()
    with _servers() as (endpoint, chain), _quiet():
        results.deployed = serving.deployed(endpoint, chain, _scale(results))


_SECTIONS: dict[str, Section] = {
    "checking": _checking,
    "footprint": _footprint,
    "counts": _counts,
    "in_process": _in_process,
    "deployed": _deployed,
}


def main() -> int:
    """Run the chosen sections. A full run of all of them renews the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: a rough idea; prints only")
    parser.add_argument("--only", action="append", choices=list(_SECTIONS), help="a section; may be repeated")
    chosen = parser.parse_args()
    results = Results(quick=chosen.quick, where=where())
    for name, run in _SECTIONS.items():
        if not chosen.only or name in chosen.only:
            run(results)
    whole = not chosen.quick and not chosen.only
    raw = results.keep(whole=whole).relative_to(ROOT)
    sys.stdout.write("\n" + "\n\n".join(sections(results)) + "\n\n")
    if whole:
        PAGE.write_text(page(results, str(raw)))
        sys.stdout.write(f"Written: {PAGE.relative_to(ROOT)}\n")
    sys.stdout.write(f"Raw numbers: {raw}\n")
    return 0


def _scale(results: Results) -> Scale:
    return _QUICK if results.quick else _FULL


@contextlib.contextmanager
def _servers() -> Iterator[tuple[str, Chain]]:
    """A local AWS and a chain for one section: what one leaves behind slows no other."""
    with tempfile.TemporaryDirectory() as scratch:
        logs = Path(scratch)
        anvil, aws = Anvil("base-sepolia", logs), MiniStack(logs)
        with contextlib.ExitStack() as closing:
            closing.callback(anvil.stop)
            closing.callback(aws.stop)
            with step("starting the chain and the local AWS"):
                anvil.start()
                aws.start()
            yield aws.endpoint, anvil.chain


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Powertools prints its metrics, as Lambda wants it; here nobody reads them."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


if __name__ == "__main__":
    sys.exit(main())
