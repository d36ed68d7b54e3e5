"""A stack whose payers ask for their records: they buy, sign in, and read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from local.chain import Chain
from local.rpc_gate import RpcGate
from tests.support.buyer import encode, fresh_signature
from tests.support.functions import HOST, Functions
from tests.support.lambda_events import Reply
from tests.support.upstream import CountingUpstream
from tollgate.payment.identity import PaymentId
from tollgate.wire.parse import parse_payment

NOBODYS = "ab" * 32


@dataclass
class Paid:
    """A payment that went through the proxy."""

    payer: LocalAccount
    message: dict[str, Any]
    status: int

    @property
    def id(self) -> PaymentId:
        """Its identity."""
        return PaymentId.of(parse_payment(encode(self.message)))


class Shop:
    """A stack with two routes, and whoever asks it for records."""

    def __init__(self, functions: Functions, upstream: CountingUpstream, gate: RpcGate) -> None:
        self.functions = functions
        self.upstream = upstream
        self.gate = gate
        functions.sell("GET", "/weather/{city}", upstream.url + "/weather/{city}")
        functions.sell("GET", "/report/{city}", upstream.url + "/report/{city}", upfront=True)
        self.network = str(functions.chain.info.network)

    def buy(self, path: str = "/weather/oslo", *, seconds: float | None = None) -> Paid:
        """A new payer pays for a path."""
        payer = self.functions.buyer()
        message = self.functions.sign(payer, self.functions.offer("GET", path))
        status = self.functions.request("GET", path, payment=message, seconds=seconds).status
        return Paid(payer, message, status)

    def signed(self, account: LocalAccount, digest: str, **changes: Any) -> str:
        """A SIGN-IN-WITH-X for a payment's id; ``now`` is when it was made."""
        now = changes.pop("now", None)
        how = {
            "domain": HOST,
            "uri": f"https://{HOST}/",
            "version": "1",
            "type": "eip191",
            "chainId": self.network,
            "requestId": digest,
        } | changes
        return fresh_signature(account, how, now=now)

    def get(self, path: str, sign_in: str | None = None) -> Reply:
        """Ask, perhaps with a signature."""
        return self.functions.request("GET", path, headers={} if sign_in is None else {"sign-in-with-x": sign_in})

    def record(self, paid: Paid) -> dict[str, Any]:
        """How a payment stands, by its payer."""
        digest = paid.id.digest
        reply = self.get(f"/x402/payments/{digest}", self.signed(paid.payer, digest))
        assert reply.status == 200, reply.body
        said: dict[str, Any] = reply.json()
        return said

    def receipt(self, paid: Paid, query: str = "", transaction: str | None = None) -> Reply:
        """Its receipt, by its payer."""
        transaction = transaction or self.record(paid)["transaction"]
        return self.get(f"/x402/receipts/{transaction}{query}", self.signed(paid.payer, paid.id.digest))

    def rows(self) -> dict[str, Any]:
        """Everything in the payments table."""
        table = self.functions.resource("PaymentsTable")
        found = self.functions.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
        return {item["pk"]["S"]: item for item in found}

    def put(self, paid: Paid, state: str) -> None:
        """Have the payment's item say another state."""
        self.functions.client("dynamodb").update_item(
            TableName=self.functions.resource("PaymentsTable"),
            Key={"pk": {"S": f"PAY#{paid.id.digest}"}},
            UpdateExpression="SET #state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}},
        )


def opened(aws_endpoint: str, chain: Chain) -> Iterator[Shop]:
    """A shop, closed at the end."""
    chain.mine_at_once()
    upstream, gate = CountingUpstream(), RpcGate(chain.url)
    gate.start()
    try:
        with Functions(aws_endpoint, chain, rpc_url=gate.url, patient=False) as functions:
            yield Shop(functions, upstream, gate)
    finally:
        gate.clear()
        gate.stop()
        upstream.stop()
