"""What is aimed at, and whether it was reached."""

from dataclasses import dataclass

from tests.bench.results import Results

LIMIT = "libsecp256k1: recover"
CHECKED = "tollgate: terms and signature"
_PAID = ("paid", "paid, with a payment-identifier", "paid, over 64 kB")
_RESENDS = ("resend", "resend, by payment-identifier", "resend, by fresh signature", "resend, over 64 kB")


@dataclass(frozen=True, slots=True)
class Aim:
    """An aim, what was measured for it, and whether that is good enough."""

    what: str
    measured: str
    met: bool


def aims(results: Results) -> list[Aim]:
    """Of the sections that were run."""
    found: list[Aim] = []
    if results.checking:
        ratio = results.checking[CHECKED] / results.checking[LIMIT]
        found.append(
            Aim("a parsed payment checked within 1.5 times recover's time", f"{ratio:.2f} times", ratio <= 1.5)
        )
    if results.layer_mb:
        size = results.layer_mb
        found.append(Aim("the layer has at most 30 MB", f"{size:.1f} MB with bytecode", size <= 30))
    if results.footprint:
        loaded = {name for key, one in results.footprint.items() if key.startswith("tollgate") for name in one.heavy}
        found.append(Aim("no function loads web3 or eth-account", ", ".join(sorted(loaded)) or "none does", not loaded))
    if results.counts:
        found += _counted(results)
    return found


def _counted(results: Results) -> list[Aim]:
    counts = results.counts
    writes = max(counts[name].writes for name in ("unpaid, cold", "unpaid, warm"))
    warm = len(counts["unpaid, warm"].operations)
    before = max(counts[name].before_broadcast["dynamodb"] for name in _PAID)
    in_all = max(counts[name].all["dynamodb"] for name in _PAID)
    looks = max(counts[name].before_broadcast["rpc"] for name in _PAID)
    resend = max(counts[name].all["dynamodb"] for name in _RESENDS)
    objects = [counts[name].all["s3"] for name in _RESENDS]
    return [
        Aim("an unpaid call writes nothing to DynamoDB", f"{writes} writes", writes == 0),
        Aim("an unpaid call, warm, makes no request at all", f"{warm} requests", warm == 0),
        Aim("a paid call makes at most 4 DynamoDB requests before broadcast", f"{before}", before <= 4),
        Aim("a paid call makes at most 6 DynamoDB requests in all", f"{in_all}", in_all <= 6),
        Aim("a paid call makes at most 2 RPC requests before broadcast", f"{looks}", looks <= 2),
        Aim(
            "a resend makes at most 3 DynamoDB requests, and one to S3 only above 64 kB",
            f"{resend}, S3 {max(objects[:-1])} and {objects[-1]}",
            resend <= 3 and max(objects[:-1]) == 0 and objects[-1] == 1,
        ),
    ]
