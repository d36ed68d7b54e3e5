"""Who is paid where. A payment signs payTo and nothing else of what it buys, so routes and sellers share no address.

One that the facilitator brings on chain for a seller elsewhere, while a route of this stack has it claimed, would
buy from both (threats 113, 115).
"""

from collections.abc import Iterable

from tollgate.ledger.sellers import SellersTable
from tollgate.payment.routes import Route
from tollgate.payment.sellers import Seller
from tollgate.wire.primitives import Address
from tollgate_cli.aws import Aws
from tollgate_cli.stack import Stack


def of_routes(routes: Iterable[Route], default: Address) -> frozenset[Address]:
    """Where this stack's own routes are paid, or still may be at a previous price; ``default`` is its PayTo."""
    return frozenset({terms.pay_to for route in routes for terms in route.payable_terms} | {default})


def shared(own: Iterable[Address], sellers: Iterable[Seller]) -> list[str]:
    """A sentence for every seller elsewhere that is paid where a route is."""
    mine = frozenset(own)
    return [
        f"{address} is where routes of this stack and the seller {seller.name} are paid:"
        " one payment would buy from both"
        for seller in sellers
        for address in seller.pay_to
        if address in mine
    ]


def sellers_of(stack: Stack, aws: Aws) -> list[Seller]:
    """The sellers elsewhere; none in a stack that was deployed before it could have any."""
    return SellersTable(aws.dynamodb, stack.sellers_table).all() if stack.sellers_table else []
