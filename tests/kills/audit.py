"""Four witnesses, compared to the unit: the chain's logs, the ledger's items, the upstream's runs, buyers' stories."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from local.chain import Chain
from tests.kills.buyers import NOT_CHARGED, OWED_BACK, SERVED, WENT_AWAY, Purchase
from tests.kills.shop import Shop
from tests.support.functions import PAY_TO
from tollgate.ledger.dynamo import Item
from tollgate.payment.identity import PaymentId
from tollgate.payment.states import OPEN, Flow, SettlementState, State

_TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
_PAID = (State.SETTLED, State.FULFILLED, State.REFUND_DUE, State.REFUNDED)
_USED = "0x" + keccak(text="AuthorizationUsed(address,bytes32)").hex()


@dataclass(frozen=True, slots=True)
class Transfer:
    """One Transfer log to the seller; ``nonce`` is that of the AuthorizationUsed directly before it."""

    transaction: str
    log_index: int
    value: int
    nonce: str


def transfers(chain: Chain, from_block: int) -> list[Transfer]:
    """Every Transfer to the seller since a block, mints left out."""
    topics = [[_TRANSFER, _USED]]
    logs = chain.rpc("eth_getLogs", {"address": chain.token, "topics": topics, "fromBlock": hex(from_block)})
    found = []
    for before, log in zip([None, *logs], logs, strict=False):
        topic, payer, *more = log["topics"]
        if topic != _TRANSFER or not int(payer, 16) or int(more[0], 16) != int(PAY_TO, 16):
            continue
        used = before is not None and before["topics"][0] == _USED
        together = used and before["transactionHash"] == log["transactionHash"]
        nonce = before["topics"][2] if together else "no authorization"
        found.append(Transfer(log["transactionHash"], int(log["logIndex"], 16), int(log["data"], 16), nonce))
    return found


class Books:
    """The payments table, read once, by payment."""

    def __init__(self, shop: Shop) -> None:
        rows = shop.rows("PaymentsTable")
        self.payments = {_nonce(row): row for row in rows if row["pk"].startswith("PAY#")}
        self.receipts = {row["nonce"]: row for row in rows if row["pk"].startswith("RCT#")}
        self.log_rows = {row["pk"]: row["payment"] for row in rows if row["pk"].startswith("LOG#")}
        self.debts = {row["pk"].removeprefix("DEBT#") for row in rows if row["pk"].startswith("DEBT#")}
        self.refunds = Counter(row["pk"].removeprefix("RFD#") for row in rows if row["pk"].startswith("RFD#"))
        self.liabilities = [row for row in rows if row["pk"].startswith("LIA#")]
        revenue = [row for row in rows if row["pk"].startswith("REV#")]
        self.revenue = sum(row["amount"] for row in revenue)
        self.counted = sum(row["payments"] for row in revenue)

    def open(self) -> list[Item]:
        """Payments that are not at an end: also those that were settled first and are not served yet."""
        return [
            row
            for row in self.payments.values()
            if row["state"] in OPEN or (row["state"] == State.SETTLED and row["flow"] == Flow.UPFRONT)
        ]

    def states(self) -> dict[str, int]:
        """How many payments are in each state."""
        return dict(sorted(Counter(str(row["state"]) for row in self.payments.values()).items()))

    def state(self, nonce: str) -> str:
        """How the books hold a payment."""
        return str(self.payments[nonce]["state"]) if nonce in self.payments else "not known"

    def served(self, nonce: str) -> bool:
        """Whether the books say that this payment was paid and its answer kept for its buyer."""
        return self.state(nonce) in (State.SETTLED, State.FULFILLED)

    def brought_nothing(self, nonce: str) -> bool:
        """Whether its own history says what the upstream gave instead of something to sell: a timeout, as a rule, on a
        machine that has many processes to start. Nobody owes for that (rule 7)."""
        *_, last = self.payments.get(nonce, {}).get("moves", ("",))
        what, _, why = [*last.split(" ", 2), "", ""][:3]
        return what == "RELEASED" and why not in ("", "owner_died")

    def owed(self, nonce: str) -> bool:
        """Whether a debt row stands for this payment's run."""
        row = self.payments.get(nonce)
        return row is not None and row["pk"].removeprefix("PAY#") in self.debts


def contradictions(shop: Shop, books: Books, purchases: Sequence[Purchase], from_block: int) -> list[str]:
    """Every sentence is a broken promise; none is the pass."""
    return [
        *shop.failures,
        *(told for purchase in purchases for told in purchase.told),
        *_chain_and_books(shop, books, from_block),
        *_settlements(shop),
        *_runs(shop, books, purchases),
        *_stories(books, purchases),
    ]


def _chain_and_books(shop: Shop, books: Books, from_block: int) -> Iterator[str]:
    logs = transfers(shop.chain, from_block)
    for nonce, count in Counter(log.nonce for log in logs).items():
        if count > 1:
            yield f"{nonce} moved money {count} times"
    paid = {(log.transaction, log.log_index, log.value, log.nonce) for log in logs}
    receipts = {(r["transaction"], r["log_index"], r["amount"], r["nonce"]) for r in books.receipts.values()}
    for one in paid - receipts:
        yield f"money moved and no receipt says so: {one}"
    for one in receipts - paid:
        yield f"a receipt without its Transfer log: {one}"
    keys = {f"LOG#{shop.chain.info.network}#{log.transaction}#{log.log_index}" for log in logs}
    if set(books.log_rows) != keys or len(set(books.log_rows.values())) != len(keys):
        yield f"{len(books.log_rows)} log rows for {len(keys)} Transfer logs"
    for nonce, row in books.payments.items():
        if (row["state"] in _PAID) != (nonce in books.receipts):
            yield f"{nonce} is {row['state']} and has {'a' if nonce in books.receipts else 'no'} receipt"
    money = sum(log.value for log in logs)
    if (books.revenue, books.counted) != (money, len(logs)):
        yield f"revenue says {books.revenue} in {books.counted} payments, the chain {money} in {len(logs)}"
        owed = int(row["state"] in (State.REFUND_DUE, State.REFUNDED))
        if books.refunds[row["pk"].removeprefix("PAY#")] != owed:
            yield f"{nonce} is {row['state']} with {books.refunds[row['pk'].removeprefix('PAY#')]} refund rows"
    if books.liabilities:
        yield f"{len(books.liabilities)} payments were paid and never served"
    for row in books.open():
        yield f"{row['pk']} is still {row['state']}: {_shown(row)}"


def _settlements(shop: Shop) -> Iterator[str]:
    """One transaction for each nonce of the relayer, each with its settlement; none of them in vain."""
    relayer = shop.functions.relayer()
    rows = [row for row in shop.rows("SettlementsTable") if row["pk"].startswith("STL#")]
    for row in rows:
        if row["state"] not in (SettlementState.CONFIRMED, SettlementState.FAILED):
            yield f"settlement {row['pk']} is still {row['state']}: {_shown(row)}"
    signed = [row for row in rows if "tx_hash" in row]
    sent = shop.chain.transaction_count(relayer)
    nonces = sorted(row["relayer_nonce"] for row in signed)
    if nonces != list(range(sent)):
        yield f"the relayer sent {sent} transactions, the settlements hold nonces {nonces}"
    for row in signed:
        receipt = shop.chain.receipt(row["tx_hash"])
        if receipt is None or receipt["from"].lower() != relayer.lower():
            yield f"{row['tx_hash']} of {row['pk']} is not on chain"
        elif int(receipt["status"], 16) != 1:
            yield f"{row['tx_hash']} of {row['pk']} was mined in vain"


def _runs(shop: Shop, books: Books, purchases: Sequence[Purchase]) -> Iterator[str]:
    runs = shop.runs()
    for purchase in purchases:
        for nonce in purchase.payments:
            if runs[nonce] > 1:
                yield f"{purchase.city}: {nonce} ran the upstream {runs[nonce]} times"
            if books.served(nonce) and runs[nonce] != 1:
                yield f"{purchase.city}: {nonce} is {books.state(nonce)} after {runs[nonce]} runs"
            unpaid_run = runs[nonce] == 1 and nonce not in books.receipts and not purchase.city.startswith("nowhere")
            if unpaid_run and not books.owed(nonce) and not books.brought_nothing(nonce):
                history = books.payments.get(nonce, {}).get("moves")
                yield f"{purchase.city}: {nonce} ran the upstream, was not paid, and no debt row says so: {history}"


def _stories(books: Books, purchases: Sequence[Purchase]) -> Iterator[str]:
    for purchase in purchases:
        paid = [nonce for nonce in purchase.payments if nonce in books.receipts]
        if len(paid) > 1:
            yield f"{purchase.city} was paid {len(paid)} times"
        match purchase.end:
            case str(end) if end == SERVED:
                if [books.receipts[nonce]["transaction"] for nonce in paid] != [purchase.transaction]:
                    yield f"{purchase.city} was served with {purchase.transaction}, the books say {paid}"
                if not all(books.served(nonce) for nonce in paid):
                    yield f"{purchase.city} was served, the books say {[books.state(nonce) for nonce in paid]}"
                if paid and paid[0] != purchase.payments[-1]:
                    yield f"{purchase.city} signed on after it had paid"
            case str(end) if end == OWED_BACK:
                known = [(books.receipts[nonce]["transaction"], books.state(nonce)) for nonce in paid]
                if known != [(purchase.transaction, State.REFUND_DUE)]:
                    yield f"{purchase.city} was told that {purchase.transaction} is owed back, the books say {known}"
            case str(end) if end == NOT_CHARGED:
                if paid:
                    yield f"{purchase.city} was told that it was not charged, and was"
            case str(end) if end == WENT_AWAY:
                pass
            case other:
                yield f"{purchase.city} ended as {other or 'nothing'}"


def summary(shop: Shop, books: Books, purchases: Sequence[Purchase]) -> dict[str, Any]:
    """The figures of a run."""
    signed = [nonce for purchase in purchases for nonce in purchase.payments]
    return {
        "purchases": dict(sorted(Counter(purchase.end for purchase in purchases).items())),
        "payments_signed": len(signed),
        "payments": books.states(),
        "resends": sum(purchase.resends for purchase in purchases),
        "upstream_runs": shop.upstream.runs,
        "runs_per_payment_at_most": max(shop.runs().values(), default=0),
        "transfers": len(books.log_rows),
        "revenue_atomic": books.revenue,
        "settled_for_buyers_who_went_away": sum(
            nonce in books.receipts for p in purchases if p.end == WENT_AWAY for nonce in p.payments
        ),
        "debts": len(books.debts),
        "refunds_due": books.refunds.total(),
        "charged_twice": sum(sum(n in books.receipts for n in p.payments) > 1 for p in purchases),
        "paid_and_not_served": len(books.liabilities),
    }


def _nonce(row: Item) -> str:
    return str(PaymentId.parse(row["identity"]).nonce)


def _shown(row: Item) -> dict[str, Any]:
    hidden = ("signature", "raw", "request", "identifier")
    return {name: value for name, value in row.items() if name not in hidden}
