"""Routes that settle first, on the deployed stack."""

from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import body, call, offer, paid, receipt

PRICE = 10_000
