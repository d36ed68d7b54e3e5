"""``make prove``: run everything that shows the guarantees, and print the figures of docs/guarantees.md."""

import argparse
import platform
import sys
import time

from tests.prove.figures import PAGE, renew, table
from tests.prove.stages import FIGURES, STAGES, Ran, run


def main() -> int:
    """Run the chosen stages. Exit code 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    names = [stage.name for stage in STAGES]
    parser.add_argument("--only", action="append", choices=names, help="a stage; may be repeated")
    parser.add_argument("--slow", action="store_true", help="what CI runs: without the stages that `make test` has")
    parser.add_argument("--write", action="store_true", help="write the figures of a full run into docs/guarantees.md")
    parser.add_argument("--workers", type=int, default=2, help="processes for the stages that can use several")
    chosen = parser.parse_args()
    if chosen.write and (chosen.only or chosen.slow):
        parser.error("--write takes a full run: leave out --only and --slow")
    stages = [
        stage
        for stage in STAGES
        if (not chosen.only or stage.name in chosen.only) and not (chosen.slow and stage.in_test)
    ]
    for old in FIGURES.glob("*.json"):
        old.unlink()
    ran: list[Ran] = []
    for number, stage in enumerate(stages, 1):
        sys.stdout.write(f"· prove {number}/{len(stages)}: {stage.name}: {stage.what}\n")
        sys.stdout.flush()
        ran.append(run(stage, chosen.workers))
    where = f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())} on {platform.system()} {platform.machine()}"
    figures = table(ran, f"{where}, Python {platform.python_version()}")
    sys.stdout.write(f"\n{figures}\n")
    good = all(stage.ok for stage in ran)
    if chosen.write and good:
        PAGE.write_text(renew(PAGE.read_text(), figures))
        sys.stdout.write("· written into docs/guarantees.md\n")
    if not good:
        sys.stdout.write("· not proven: " + ", ".join(stage.stage.name for stage in ran if not stage.ok) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
