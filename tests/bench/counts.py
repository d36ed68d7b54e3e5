"""How many requests a call costs, to each service, from the proxy's and settle's handlers: counted, not timed."""

import secrets
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.bench.shop import BIG, LIMITED, SMALL
from tests.support.aws_calls import AwsCall
from tests.support.buyer import fresh_signature
from tests.support.functions import Functions, Seen

SERVICES = ("dynamodb", "s3", "kms", "secretsmanager", "lambda", "rpc")
_ELSEWHERE = "198.51.100.7"
_WRITES = ("Put", "Update", "Delete", "Transact", "BatchWrite")


@dataclass(frozen=True, slots=True)
class Count:
    """One call: its status, requests by service (a JSON-RPC batch is one), and the operations in order."""

    status: int
    all: dict[str, int]
    before_broadcast: dict[str, int]
    writes: int
    operations: tuple[str, ...]


def count_everything(functions: Functions) -> dict[str, Count]:
    """Each kind of call, with nobody else about; the functions are warm and know the relayer's next nonce."""
    payer = functions.buyer()
    found = {"unpaid, cold": _cold_unpaid(functions), "unpaid, warm": count(functions, SMALL)}
    # The first paid call warms settle, and with it the relayer's next nonce.
    found["paid, cold"] = _cold_paid(functions, payer)
    small, big = _payment(functions, payer, SMALL), _payment(functions, payer, BIG)
    found["paid"] = count(functions, SMALL, small)
    found["resend"] = count(functions, SMALL, small)
    found["paid, on a route with limits"] = count(functions, LIMITED, _payment(functions, payer, LIMITED))
    found |= _elsewhere(functions, payer)
    found["paid, over 64 kB"] = count(functions, BIG, big)
    found["resend, over 64 kB"] = count(functions, BIG, big)
    return found


def count(functions: Functions, url: str, payment: dict[str, Any] | None = None, **more: Any) -> Count:
    """One GET, from the proxy's event to its answer; ``more`` goes to ``Functions.request``."""
    with functions.recording() as seen:
        reply = functions.request("GET", url, payment=payment, **more)
    return Count(
        reply.status,
        _by_service(seen),
        _by_service(seen.before_broadcast()),
        sum(call.service == "dynamodb" and call.operation.startswith(_WRITES) for call in seen.aws),
        tuple(_name(call) for call in seen.trace),
    )


def _elsewhere(functions: Functions, payer: LocalAccount) -> dict[str, Count]:
    """Resends from an address that never saw the call: by payment-identifier, and by a fresh signature."""
    found = {}
    named = _payment(functions, payer, SMALL, identifier=f"pay_{secrets.token_hex(16)}")
    found["paid, with a payment-identifier"] = count(functions, SMALL, named)
    found["resend, by payment-identifier"] = count(functions, SMALL, named, source=_ELSEWHERE)
    plain = _payment(functions, payer, SMALL)
    count(functions, SMALL, plain)
    told = functions.request("GET", SMALL, payment=plain, source=_ELSEWHERE).json()
    proof = {"sign-in-with-x": fresh_signature(payer, told["details"]["signIn"])}
    found["resend, by fresh signature"] = count(functions, SMALL, plain, source=_ELSEWHERE, headers=proof)
    return found


def _cold_unpaid(functions: Functions) -> Count:
    functions.cold("proxy")
    return count(functions, SMALL)


def _cold_paid(functions: Functions, payer: LocalAccount) -> Count:
    payment = _payment(functions, payer, SMALL)
    functions.cold("proxy", "settle")
    return count(functions, SMALL, payment)


def _payment(functions: Functions, payer: LocalAccount, url: str, **how: Any) -> dict[str, Any]:
    return functions.sign(payer, functions.offer("GET", url), **how)


def _by_service(seen: Seen) -> dict[str, int]:
    return {service: seen.count(service) for service in SERVICES}


def _name(call: Any) -> str:
    if isinstance(call, AwsCall):
        return f"{call.function}: {call.service}.{call.operation}"
    return f"{call.function}: rpc {'+'.join(call.methods)}"
