"""The control: a small correct seller in one process, for which the checks must pass too.

It shares no code with Tollgate. A faulty build is this shop with one method replaced (faulty_shops.py).
"""

import base64
import binascii
import json
import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

import urllib3
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from local.chain import Chain
from tests.conformance.shop import GOODS, PRICES, Reply
from tests.support.buyer import _TYPES, decode, encode, sign
from tests.support.facilitator import Facilitator
from tests.support.upstream import CountingUpstream, answers

PAY_TO = "0x5c5C5c5C5c5C5c5c5c5C5c5C5C5C5C5c5c5c5C5c"
HOST = "https://shop.example"
_USED = "0x" + keccak(text="AuthorizationUsed(address,bytes32)").hex()
_UPFRONT = "/first"


class BadHeader(Exception):
    """PAYMENT-SIGNATURE is not base64 of a JSON object."""


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Record:
    """What is durable of one payment."""

    key: str
    request: str
    payment: dict[str, Any]
    state: str = "running"
    answer: Reply | None = None
    transaction: str = ""
    # One request settles it at a time.
    turn: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Disk:
    """What survives a process, and what all replicas see."""

    records: dict[str, Record] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    paid: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class ReferenceShop:
    """See shop.Shop."""

    prices_by_query = True
    signs_in = True
    upfront_path = _UPFRONT

    def __init__(self, chain: Chain, disk: Disk | None = None, like: "ReferenceShop | None" = None) -> None:
        self.chain = chain
        self.disk = disk or Disk()
        self.facilitator = like.facilitator if like else Facilitator(chain)
        self.handler = like.handler if like else CountingUpstream()
        self.asked: list[float] = like.asked if like else []
        self.dying = ""
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(1.5))
        if like is None:
            self.handler.behave(answers(200, GOODS))

    # What every request goes through.

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        payment: dict[str, Any] | None = None,
        header: str | None = None,
        body: bytes = b"",
        sign_in: str | None = None,
        hung_up: bool = False,
        seconds: float = 12.0,
    ) -> Reply:
        """Serve it."""
        head = method == "HEAD"
        price = self.price("GET" if head else method, path, query)
        if price is None:
            return Reply(404)
        sent = encode(payment) if payment is not None else header
        if sent is None:
            if sign_in is not None and self.may_again(path, sign_in):
                return self.run(method, path, query, body)
            offer = self.offer(path, price)
            return replace(offer, body=b"") if head else offer
        if head:
            return Reply(405, {"allow": "GET"})
        try:
            read = self.read(sent)
        except BadHeader as bad:
            return Reply(400, {"content-type": "application/json"}, json.dumps({"error": str(bad)}).encode())
        reason = self.wrong(read, path, price)
        if reason:
            return self.offer(path, price, reason)
        request = f"{method} {path}?{query} {body!r}"
        record = Record(self.key(read), request, read)
        known = self.claim(record, self.identifier(read))
        if known is not None:
            return self.known(known, record)
        reply = self.serve(record, method, path, query, body)
        self.delivered(record, hung_up)
        return reply

    def serve(self, record: Record, method: str, path: str, query: str, body: bytes) -> Reply:
        """Run, keep, settle, answer; or, where it is sold upfront, settle first."""
        upfront = self.settles_first(path)
        if upfront:
            record.state = "settling"
            unsettled = self.settled(record, path)
            if unsettled is not None:
                return unsettled
        answer = self.run(method, path, query, body)
        if not self.sellable(answer.status):
            record.state = "released"
            return answer
        record.answer = answer
        if not upfront:
            record.state = "settling"
            unsettled = self.settled(record, path)
            if unsettled is not None:
                return unsettled
        return self.hand_out(record)

    # One step each.

    def settles_first(self, path: str) -> bool:
        """Whether a path is sold upfront."""
        return path == self.upfront_path

    def price(self, method: str, path: str, query: str) -> int | None:
        """Of a request, by the path as it is sent; nothing for what is not sold."""
        if path == self.upfront_path and method == "GET":
            return PRICES["GET", "/cheap"]
        for (sold, pattern), price in PRICES.items():
            if method == sold and re.fullmatch(re.sub(r"\{\w+\}", r"[A-Za-z0-9_-]+", pattern), path):
                return price * 10 if pattern == "/sized" and query == "size=l" else price
        return None

    def offer(self, path: str, price: int, reason: str = "") -> Reply:
        """402."""
        required = {"x402Version": 2, "error": reason or "Payment required", **self.terms(path, price)}
        body = json.dumps({"error": required["error"]}).encode()
        return Reply(402, {"payment-required": encode(required), "cache-control": "private, no-store"}, body)

    def terms(self, path: str, price: int) -> dict[str, Any]:
        """What is sold, for what."""
        flow = {"paymentFlow": "upfront"} if path == self.upfront_path else {}
        accepted = {
            "scheme": "exact",
            "network": str(self.chain.info.network),
            "amount": str(price),
            "asset": self.chain.token,
            "payTo": PAY_TO,
            "maxTimeoutSeconds": 60,
            "extra": {"name": "USDC", "version": "2", **flow},
        }
        return {
            "resource": {"url": HOST + path},
            "accepts": [accepted],
            "extensions": {"payment-identifier": {"info": {"required": False}}},
        }

    def read(self, header: str) -> dict[str, Any]:
        """Strictly. Raises ``BadHeader``."""
        try:
            read = json.loads(base64.b64decode(header, validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadHeader("PAYMENT-SIGNATURE is not base64 of JSON") from error
        if not isinstance(read, dict) or not isinstance(read.get("payload"), dict):
            raise BadHeader("PAYMENT-SIGNATURE is not a payment")
        return read

    def wrong(self, payment: dict[str, Any], path: str, price: int) -> str:
        """Why this payment does not pay this price here, or ""."""
        wanted = self.terms(path, price)["accepts"][0]
        if payment.get("accepted") != wanted:
            return "no_matching_requirements"
        if payment.get("resource", {}).get("url", HOST + path) != HOST + path:
            return "resource_mismatch"
        a = payment["payload"]["authorization"]
        if (a["to"], a["value"]) != (PAY_TO, wanted["amount"]) or int(a["validBefore"]) <= time.time():
            return "invalid_payload"
        return "" if self.signer(payment, wanted) == a["from"] else "invalid_signature"

    def signer(self, payment: dict[str, Any], wanted: dict[str, Any]) -> str:
        """Who signed, for our own token on our own network."""
        a = payment["payload"]["authorization"]
        message = encode_typed_data(
            {
                "name": "USDC",
                "version": "2",
                "chainId": int(wanted["network"].split(":")[1]),
                "verifyingContract": wanted["asset"],
            },
            _TYPES,
            {
                **a,
                "value": int(a["value"]),
                "validAfter": int(a["validAfter"]),
                "validBefore": int(a["validBefore"]),
                "nonce": bytes.fromhex(a["nonce"][2:]),
            },
        )
        return str(Account.recover_message(message, signature=payment["payload"]["signature"]))

    def key(self, payment: dict[str, Any]) -> str:
        """Which payment it is."""
        a = payment["payload"]["authorization"]
        return f"{a['from'].lower()}#{a['nonce'].lower()}"

    def identifier(self, payment: dict[str, Any]) -> str | None:
        """Its payment-identifier, of this payer."""
        info = payment.get("extensions", {}).get("payment-identifier", {}).get("info", {})
        return f"{payment['payload']['authorization']['from']}#{info['id']}" if "id" in info else None

    def claim(self, record: Record, identifier: str | None) -> Record | None:
        """Put it on the books, or say what stands there: one step, whatever happens at once."""
        with self.disk.lock:
            key = self.disk.identifiers.get(identifier, record.key) if identifier else record.key
            known = self.disk.records.get(key)
            if known is not None and known.state != "released":
                return known
            self.disk.records[record.key] = record
            if identifier:
                self.disk.identifiers[identifier] = record.key
        return None

    def known(self, known: Record, asked: Record) -> Reply:
        """A resend, or another payment under the same identifier."""
        if known.request != asked.request:
            return self.refused(409, known)
        if known.state == "settling":
            unsettled = self.settled(known, asked.request.split("?")[0].split(" ")[1])
            if unsettled is not None:
                return unsettled
        return self.hand_out(known) if known.answer and known.state == "settled" else self.refused(503, known)

    def run(self, method: str, path: str, query: str, body: bytes) -> Reply:
        """The handler's answer, as it is; nothing of it may be kept by a cache. A failure is 502."""
        url = self.handler.url + path + (f"?{query}" if query else "")
        try:
            got = self._http.request(method, url, body=body or None, redirect=False)
        except urllib3.exceptions.HTTPError:
            return Reply(502)
        kept = {k.lower(): v for k, v in got.headers.items() if k.lower() not in {"content-length", "date", "server"}}
        return Reply(got.status, {**kept, "cache-control": "private, no-store"}, got.data)

    def sellable(self, status: int) -> bool:
        """Whether such an answer is what was paid for."""
        return 200 <= status < 300

    def settled(self, record: Record, path: str) -> Reply | None:
        """Settle; the answer when it is not settled, or nothing when it is."""
        with record.turn:
            return None if record.state == "settled" else self.settle(record, path)

    def settle(self, record: Record, path: str) -> Reply | None:
        """Look at the chain, ask if nothing was asked before, and look again."""
        found = self.on_chain(record) or ("" if record.transaction else self.ask(record, path))
        found = found or self.on_chain(record)
        if self.dying == "settled":
            raise Killed
        if not found:
            return self.refused(503, record)
        record.transaction, record.state = found, "settled"
        self.disk.paid.add((self.payer(record), path))
        return None

    def ask(self, record: Record, path: str) -> str:
        """POST /settle, once; the transaction of a success, or "". A pending one is noted."""
        payment = record.payment
        message = {"x402Version": 2, "paymentPayload": payment, "paymentRequirements": payment["accepted"]}
        self.asked.append(time.monotonic())
        try:
            got = self._http.request("POST", self.facilitator.url + "/settle", body=json.dumps(message).encode())
            said = json.loads(got.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return ""
        if got.status != 200 or not isinstance(said, dict):
            return ""
        if said.get("errorReason") == "settlement_pending":
            record.transaction = str(said.get("transaction") or "")
        return str(said.get("transaction") or "") if said.get("success") is True else ""

    def on_chain(self, record: Record) -> str:
        """The transaction that used the authorization, or ""."""
        a = record.payment["payload"]["authorization"]
        topics = [_USED, "0x" + a["from"][2:].lower().rjust(64, "0"), a["nonce"].lower()]
        logs = self.chain.rpc("eth_getLogs", {"address": self.chain.token, "topics": topics, "fromBlock": "0x0"})
        return str(logs[0]["transactionHash"]) if logs else ""

    def hand_out(self, record: Record) -> Reply:
        """The goods with their receipt."""
        answer = record.answer
        assert answer is not None
        receipt = {
            "success": True,
            "transaction": record.transaction,
            "network": str(self.chain.info.network),
            "payer": self.payer(record),
        }
        if self.dying == "answering":
            raise Killed
        return replace(answer, headers={**answer.headers, "payment-response": encode(receipt)})

    def refused(self, status: int, record: Record) -> Reply:
        """No goods and no offer, but what it is about."""
        said = {"error": "not now", "payment": record.key, "transaction": record.transaction}
        return Reply(status, {"retry-after": "2"}, json.dumps(said).encode())

    def delivered(self, record: Record, hung_up: bool) -> None:
        """The answer left, or nobody was there: the books are the same."""

    def payer(self, record: Record) -> str:
        """Who paid."""
        return str(record.payment["payload"]["authorization"]["from"])

    def may_again(self, path: str, sign_in: str) -> bool:
        """Whether who signed in has paid this route before."""
        return (decode(sign_in)["address"], path) in self.disk.paid

    # What a check does besides.

    def sign(self, payer: LocalAccount, offer: dict[str, Any], **how: Any) -> dict[str, Any]:
        """By this machine's clock, and for a while, as tests move the chain's."""
        return sign(payer, offer, now=max(time.time(), self.chain.now()), **how)

    def signed_in(self, payer: LocalAccount, path: str) -> str:
        """Its signature is not looked at: what it opens is the matter."""
        return encode({"address": payer.address, "uri": HOST + path})

    def buyer(self) -> LocalAccount:
        """With 100 USDC."""
        return self.chain.funded_account()

    def settles(self) -> int:
        """POSTs to the facilitator."""
        return len(self.asked)

    def transactions(self) -> int:
        """Of the facilitator's."""
        return len(self.facilitator.sent)

    def replica(self) -> "ReferenceShop":
        """Another process over the same disk."""
        return type(self)(self.chain, self.disk, self)

    def dies(self, moment: str, method: str, path: str, payment: dict[str, Any]) -> None:
        """At ``moment``."""
        self.dying = moment
        try:
            self.request(method, path, payment=payment)
        except Killed:
            return
        finally:
            self.dying = ""
        raise AssertionError("nobody died")

    def restart(self) -> None:
        """Nothing in memory matters."""

    def mine(self) -> None:
        """And from then on every transaction at once."""
        self.chain.mine_at_once()
        self.chain.mine()

    def close(self) -> None:
        """Stop everything."""
        self.facilitator.stop()
        self.handler.stop()
