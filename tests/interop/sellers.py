"""Sellers elsewhere, as an operator adds them."""

import secrets

from eth_account import Account

from local.stack import LocalStack

PRICE = 10_000
PAY_TO = str(Account.create().address)


def add_seller(stack: LocalStack) -> str:
    """The key of a new seller, who may be paid at PAY_TO, up to a dollar in USDC a time."""
    name = f"shop-{secrets.token_hex(4)}"
    allowed = f"{stack.chain.info.network}:USDC:$1.00"
    printed = stack.tollgate(
        "seller", "add", name, "--pay-to", PAY_TO, "--allow", allowed, "--settlements-per-day", "1000"
    )
    return next(word for word in printed.split() if word.startswith("tg_"))
