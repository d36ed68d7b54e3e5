"""docs/benchmarks.md: the tables of a full run, and how to read them."""

from local.paths import ROOT
from tests.bench import tables
from tests.bench.results import Results

PAGE = ROOT / "docs" / "benchmarks.md"

_PAGE = """\
# Benchmarks

Written by `make bench`; do not edit. What can be counted is also held by tests (`tests/bench/test_counts.py`).

```sh
make bench                              # all of it, three minutes on Linux; rewrites this page; raw numbers: {raw}
make bench BENCH=--quick                # a rough idea in half a minute; prints only
make bench BENCH="--only checking"      # one section: checking, footprint, counts, in_process, deployed
```

Measured {when} on {machine}, with a load of {load} at the start. Python {python}; {versions}.

The machine is small and shared, so compare rows with each other, not with another machine's. Both sides of a comparison
take turns within one run, and every figure is a median unless its column says otherwise.

## Aims

{aims}

## Checking one payment

{checking}

*Recover* is libsecp256k1's own function on a signature that is parsed already, called through coincurve's binding: no
way of checking a signature is faster. *Signature* adds the EIP-712 hash, the parsing of the signature and the
comparison with the payer; *terms* what was offered and the clock, as the official *verify*; *header* the strict reading
of base64 and JSON. The official rows are the SDK's facilitator with its own signer; every answer of the chain is
stubbed. Nothing that `x402[evm]` requires installs coincurve, so the last rows are what a plain installation does.

## What has to be loaded

{footprint}

In a fresh interpreter, over an empty one, with bytecode; the peak includes the interpreter. Tollgate's rows load the
built layer with boto3, which is in the Lambda runtime already; their files are the layer's, without bytecode as all
sizes here ({layer:.1f} MB with it, as it is shipped). The official rows are a resource server and a facilitator on the
SDK, which do not have a ledger.

## Requests per call

{counts}

Counted on the real handlers, with nobody else about. *a + b* is before and after the broadcast. A JSON-RPC batch is one
request, a DynamoDB transaction too. *Cold* has no route, secret, key or relayer nonce in memory yet. On nodes
without `eth_sendRawTransactionSync` the receipt is asked for every half second until the block is there.

## The 402 and the paid call, in one process

{in_process}

Tollgate: the proxy's handler called directly, settle's by the proxy over HTTP on a thread of the same process.
Official: the SDK's FastAPI middleware called as ASGI, with an official facilitator inside. The chain is anvil, which
mines at once; the local AWS is MiniStack, a Python server on the same processors: what is waited for there says nothing
about DynamoDB or KMS. *The rest* is each side's own code and libraries, and the upstream. The official side has no
claim, no stored answer, no write-ahead and no receipt: it asks no database.

## The 402 and the paid call, as deployed

{deployed}

Tollgate: AWS's runtime interface client under the emulator that comes with sam, one runtime of the proxy and one of
settle per caller, called as API Gateway would call them; the upstream is an HTTP server elsewhere. Official: FastAPI on
uvicorn, and a facilitator in a second process. CPU is that of the sellers' processes alone, without the local AWS and
the chain, in a mean over the run. The official facilitator looks for its receipt every 0.1 s when it is not there at
once, which shows in its 95 %. With several callers the machine is full: the unpaid rates are as much the client's, one
Python process, and the paid rates MiniStack's and a single relayer's. They are no forecast for AWS.

{cold_starts}

A cold start includes the interpreter, all imports and clients, the routes, and the call itself. The largest runtimes
took {proxy_mb:.0f} MB (proxy) and {settle_mb:.0f} MB (settle).
"""


def sections(results: Results) -> list[str]:
    """The tables of what was run."""
    found = [tables.of_aims(results)] if results.checking or results.counts or results.footprint else []
    if results.checking:
        found.append(tables.of_checking(results))
    if results.footprint:
        found.append(tables.of_footprint(results))
    if results.counts:
        found.append(tables.of_counts(results))
    if results.in_process:
        found.append(tables.of_in_process(results))
    if results.deployed:
        found += [tables.of_deployed(results), tables.of_cold_starts(results)]
    return found


def page(results: Results, raw: str) -> str:
    """The whole page; every section must have been run."""
    assert results.deployed is not None
    return _PAGE.format(
        raw=raw,
        **results.where,
        aims=tables.of_aims(results),
        checking=tables.of_checking(results),
        footprint=tables.of_footprint(results),
        layer=results.layer_mb,
        counts=tables.of_counts(results),
        in_process=tables.of_in_process(results),
        deployed=tables.of_deployed(results),
        cold_starts=tables.of_cold_starts(results),
        proxy_mb=results.deployed.peak_mb["proxy"],
        settle_mb=results.deployed.peak_mb["settle"],
    )
