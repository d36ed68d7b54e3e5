"""Sellers elsewhere: a row in the sellers table, a key, and the requests that an official SDK server would send."""

import json
import secrets
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.support.functions import Functions
from tests.support.lambda_events import Reply
from tollgate.ledger.sellers import SellersTable
from tollgate.payment.sellers import Allowance, Seller, key_hash
from tollgate.wire.primitives import Address

PRICE = 10_000
VERIFY = "/x402/facilitator/verify"
SETTLE = "/x402/facilitator/settle"
SUPPORTED = "/x402/facilitator/supported"


def make_key(name: str) -> str:
    """A key of the form that ``tollgate seller add`` prints."""
    return f"tg_{name}_{secrets.token_urlsafe(32)}"


class SellerElsewhere:
    """May be paid in the chain's token, to one fresh address, up to 100 times ``PRICE``."""

    def __init__(self, functions: Functions, *, per_day: int = 1000, pay_to: str | None = None) -> None:
        self.functions = functions
        self.name = f"shop-{secrets.token_hex(4)}"
        self.key = make_key(self.name)
        self.pay_to: str = pay_to or Account.create().address
        self.table = SellersTable(functions.client("dynamodb"), functions.resource("SellersTable"))
        chain = functions.chain
        allowance = Allowance(chain.info.network, chain.asset.address, 100 * PRICE)
        self.table.add(Seller(self.name, (Address.parse(self.pay_to),), (allowance,), per_day, (key_hash(self.key),)))

    @property
    def earned(self) -> int:
        """What came in, in atomic units."""
        return self.functions.chain.balance(self.pay_to)

    def requirements(self, **changes: Any) -> dict[str, Any]:
        """One way to pay this seller, as v2 has it."""
        asset = self.functions.chain.asset
        return {
            "scheme": "exact",
            "network": str(self.functions.chain.info.network),
            "amount": str(PRICE),
            "asset": str(asset.address),
            "payTo": self.pay_to,
            "maxTimeoutSeconds": 60,
            "extra": {"name": asset.name, "version": asset.version},
        } | changes

    def payment(self, buyer: LocalAccount, requirements: dict[str, Any] | None = None, **signed: Any) -> dict[str, Any]:
        """A signed payment that meets the requirements, unless ``signed`` changes the authorization."""
        required = {
            "x402Version": 2,
            "resource": {"url": "https://shop.example/tea"},
            "accepts": [requirements or self.requirements()],
        }
        return self.functions.sign(buyer, required, **signed)

    def envelope(self, payment: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """What the SDK posts: the payment and what it accepted."""
        return {
            "x402Version": payment["x402Version"],
            "paymentPayload": payment,
            "paymentRequirements": payment.get("accepted"),
        } | changes

    def envelope_v1(self, payment: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """The same payment in x402 v1, whose networks have names."""
        accepted = payment["accepted"]
        name = self.functions.chain.info.v1_name
        requirements = {
            "scheme": "exact",
            "network": name,
            "maxAmountRequired": accepted["amount"],
            "resource": "https://shop.example/tea",
            "description": "",
            "mimeType": "",
            "payTo": accepted["payTo"],
            "maxTimeoutSeconds": accepted["maxTimeoutSeconds"],
            "asset": accepted["asset"],
            "extra": accepted["extra"],
        }
        v1 = {"x402Version": 1, "scheme": "exact", "network": name, "payload": payment["payload"]}
        return {"x402Version": 1, "paymentPayload": v1, "paymentRequirements": requirements} | changes

    def post(self, path: str, message: Any, *, key: str | None = None, **request: Any) -> Reply:
        """POST with this seller's key, or with ``key``; "" sends none. Bytes are sent as they are."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        headers = {"content-type": "application/json"}
        sent = self.key if key is None else key
        if sent:
            headers["authorization"] = f"Bearer {sent}"
        return self.functions.request("POST", path, body=body, headers=headers, **request)

    def verify(self, message: Any, **request: Any) -> dict[str, Any]:
        """The 200 of /verify."""
        return _ok(self.post(VERIFY, message, **request))

    def settle(self, message: Any, **request: Any) -> dict[str, Any]:
        """The 200 of /settle."""
        return _ok(self.post(SETTLE, message, **request))


def items(functions: Functions) -> list[dict[str, Any]]:
    """Everything in every table."""
    dynamo = functions.client("dynamodb")
    tables = ("PaymentsTable", "SettlementsTable", "RoutesTable", "SellersTable")
    pages = (
        page
        for table in tables
        for page in dynamo.get_paginator("scan").paginate(TableName=functions.resource(table), ConsistentRead=True)
    )
    return [item for page in pages for item in page["Items"]]


def _ok(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    message: dict[str, Any] = reply.json()
    return message
