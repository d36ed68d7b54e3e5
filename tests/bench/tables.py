"""Results as Markdown tables."""

from collections.abc import Sequence

from tests.bench.aims import LIMIT, aims
from tests.bench.calls import PAID, UNPAID, Found
from tests.bench.counts import SERVICES
from tests.bench.measure import tail, typical
from tests.bench.results import Results

_SERVICE_NAMES = {
    "dynamodb": "DynamoDB",
    "s3": "S3",
    "kms": "KMS",
    "secretsmanager": "Secrets",
    "lambda": "Lambda",
    "rpc": "RPC",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    line = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join([_row(head), line, *map(_row, rows)])


def of_aims(results: Results) -> str:
    """Every aim with its mark."""
    rows = [(aim.what, aim.measured, "✓" if aim.met else "✗") for aim in aims(results)]
    return table(("Aim", "Measured", "Met"), rows)


def of_checking(results: Results) -> str:
    """Microseconds, and times the limit."""
    limit = results.checking[LIMIT]
    rows = [(name, f"{us:,.0f}", f"{us / limit:,.2f}") for name, us in results.checking.items()]
    return table(("Checking one signed payment", "µs", "times recover"), rows)


def of_footprint(results: Results) -> str:
    """Import time, memory, size."""
    rows = [
        (name, f"{f.import_ms:,.0f}", f"{f.rss_mb:.0f}", f"{f.peak_mb:.0f}", f"{f.size_mb:.1f}")
        for name, f in results.footprint.items()
    ]
    return table(("Loaded in a fresh interpreter", "ms", "MB", "MB at the peak", "MB of files"), rows)


def of_counts(results: Results) -> str:
    """Requests per call; DynamoDB's and the chain's also before the broadcast."""
    rows = []
    for name, count in results.counts.items():
        cells = []
        for service in SERVICES:
            before, in_all = count.before_broadcast[service], count.all[service]
            split = name.startswith("paid") and service in ("dynamodb", "rpc")
            cells.append(f"{before} + {in_all - before}" if split else f"{in_all or '-'}")
        rows.append((name, *cells))
    return table(("Requests of one call", *(_SERVICE_NAMES[s] for s in SERVICES)), rows)


def of_in_process(results: Results) -> str:
    """Milliseconds per call: all, waiting, and the rest; and processor time."""
    rows = []
    for side, kinds in results.in_process.items():
        for kind, found in kinds.items():
            waits = {name: typical([w[name] for w in found.waits]) * 1000 for name in found.waits[0]}
            whole = typical(found.seconds) * 1000
            rest = typical([s - sum(w.values()) for s, w in zip(found.seconds, found.waits, strict=True)]) * 1000
            rows.append((f"{side}: {kind}", _ms(whole), *map(_ms, waits.values()), _ms(rest), _ms_cpu(found)))
    return table(("In one process", "ms", "of it: local AWS", "chain", "the rest", "CPU ms"), rows)


def of_deployed(results: Results) -> str:
    """Milliseconds per call with one caller, calls per second with several."""
    deployed = results.deployed
    assert deployed is not None
    rows = []
    for side, kinds in deployed.alone.items():
        for kind, found in kinds.items():
            rate = typical(deployed.together[side][kind])
            p95 = _ms(tail(found.seconds) * 1000)
            rows.append((f"{side}: {kind}", _ms(typical(found.seconds) * 1000), p95, _ms_cpu(found), f"{rate:,.0f}"))
    return table(("As deployed", "ms", "ms, 95 %", "CPU ms", f"calls/s, {deployed.callers} callers"), rows)


def of_cold_starts(results: Results) -> str:
    """Milliseconds of first calls beside warm ones."""
    deployed = results.deployed
    assert deployed is not None
    warm = {kind: typical(deployed.alone["tollgate"][kind].seconds) * 1000 for kind in (UNPAID, PAID)}
    rows = [(f"{kind}, warm", f"{ms:,.0f}", "") for kind, ms in warm.items()]
    for name, seconds in deployed.cold.items():
        rows.append((name, f"{typical(seconds) * 1000:,.0f}", f"{max(seconds) * 1000:,.0f}"))
    return table(("First call of a Lambda runtime", "ms", "ms, slowest"), rows)


def _ms_cpu(found: Found) -> str:
    return _ms(sum(found.cpu) / len(found.cpu) * 1000)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:,.0f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
