"""What a routes file is checked against: the stack that is going to serve it."""

from dataclasses import dataclass

from tollgate.payment.networks import NetworkInfo, network_info
from tollgate.wire.primitives import Address


@dataclass(frozen=True, slots=True)
class StackFacts:
    """The stack's own choices. ``asset`` is a symbol or an address; ``base_url`` what offers start with.

    ``function_arns`` are the Lambda functions that routes may sell, ``own_functions`` the names of the stack's own, and
    ``function_prefix`` is what the ARNs of its account and Region start with. ``named`` is false for the stand-in that
    a file is checked against when no stack is given.
    """

    networks: tuple[NetworkInfo, ...]
    asset: str
    pay_to: Address
    allow_private_upstreams: bool
    base_url: str
    secret_prefix: str = ""
    function_arns: tuple[str, ...] = ()
    own_functions: frozenset[str] = frozenset()
    function_prefix: str = ""
    named: bool = True


def stand_in() -> StackFacts:
    """Facts for a check without a stack: what only a stack can decide becomes a note."""
    return StackFacts(
        networks=(network_info("base-sepolia"),),
        asset="USDC",
        pay_to=Address(b"\x11" * 20),
        allow_private_upstreams=False,
        base_url="https://abcdefghij.execute-api.eu-central-1.amazonaws.com",
        named=False,
    )
