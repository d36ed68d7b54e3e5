"""What must hold in every world: I1 to I14, each a function over a run; ``Broken`` comes with the world's history.

Some are watched while the world runs (I5, I8, I10 and the write-ahead rule), the others are read off its end:
ledger rows, the chain's logs, the upstream's runs, every answer that left, and the log.
"""

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.support.fakes.client import payment_id
from tests.support.fakes.effects import Effect
from tests.support.fakes.expressions import Item
from tests.support.fakes.raw_transactions import read_transaction
from tests.support.world import PAY_TO
from tollgate.gateway.messages import Answer, Request
from tollgate.ledger.payment_items import log_key
from tollgate.payment.events import Event
from tollgate.payment.states import OPEN, SETTLEMENT_TRANSITIONS, TRANSITIONS, Flow, SettlementState, State
from tollgate.schemes.exact import eip3009
from tollgate.schemes.logs import Log
from tollgate.wire.primitives import Address, Bytes32

if TYPE_CHECKING:
    from tests.crash.walk import Run

# Its money came and stands in the revenue; of these, what was not served is owed back.
_PAID = frozenset({State.SETTLED, State.EXECUTING_PAID, State.FULFILLED, State.GRANTED, State.REFUND_DUE})
_SERVED = frozenset({State.SETTLED, State.FULFILLED})
# Its money came although we had given it up.
_OWED = frozenset({State.PAID_UNSERVED, State.REFUNDED})


class Broken(AssertionError):
    """An invariant does not hold."""


def broken(run: "Run", number: str, why: str) -> Broken:
    """The message: which promise, what was seen, and how the world came to it."""
    return Broken(f"{number}: {why}\n{run.story()}")


class Watch:
    """Everything that is checked while the world runs; a breach is kept and raised at the end."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.breaches: list[Broken] = []
        # Payments whose sender was told, by an offer, that they are not and will not be charged.
        self.given_up: set[str] = set()
        self.reversed: set[str] = set()
        # Hashes of all bytes that the settlements table ever held: who is slow may send what was replaced since.
        self.stored: set[str] = set()
        world = run.world
        world.dynamo.observers.append(self.changed)
        world.on_answer.append(self.answered)
        world.effects.watchers.append(self.sent)

    def fail(self, number: str, why: str) -> None:
        self.breaches.append(broken(self.run, number, why))

    def changed(self, table: str, key: str, old: Item | None, new: Item | None) -> None:
        """I10: states move along the arrows; a fence never decreases."""
        if table == "settlements" and new is not None:
            self.stored.update(read_transaction(value["B"]).hash for name, value in new.items() if name == "raw")
        if not key.startswith(("PAY#", "STL#")):
            return
        if new is None:
            if key.startswith("PAY#"):
                self.fail("I10", f"{key} was deleted")
            return
        before = old["state"]["S"] if old else None
        after = new["state"]["S"]
        if before == after:
            return
        if key.startswith("PAY#"):
            allowed = TRANSITIONS[State(before) if before else None]
            if after not in allowed:
                self.fail("I10", f"{key} moved from {before} to {after}")
            if old and int(new["fence"]["N"]) < int(old["fence"]["N"]):
                self.fail("I10", f"{key}: the fence went back")
            if after == State.REVERSED:
                self.reversed.add(key.removeprefix("PAY#"))
        if key.startswith("STL#"):
            known = SETTLEMENT_TRANSITIONS[SettlementState(before) if before else None]
            if after not in known:
                self.fail("I10", f"{key} moved from {before} to {after}")

    def sent(self, phase: str, effect: Effect) -> None:
        """Write ahead: no bytes reach a node that the ledger does not hold (rule 2)."""
        if phase != "before" or effect.kind != "send":
            return
        if effect.detail not in self.stored:
            self.fail("write-ahead", f"{effect.detail} was broadcast before its bytes were stored")

    def answered(self, request: Request, answer: Answer) -> None:
        """I5: no paid body before the books say so. I8: no offer while the outcome is unknown."""
        header = request.headers.get("payment-signature")
        if header is None:
            return
        id = payment_id(header)
        state = self._state(id.digest)
        if b"paid-body" in answer.body:
            if answer.status >= 300:
                if 200 <= self.run.world.upstream.status < 300:
                    self.fail("I5", f"a paid body left with a {answer.status}")
            else:
                paid = self._paid_by(answer.body)
                if paid is not (State.FULFILLED if self.run.scenario.flow == "upfront" else State.SETTLED):
                    self.fail("I5", f"a paid body left while its payment was {paid}")
        if answer.header("payment-required") is None:
            return
        if state in OPEN or state in _PAID or state in _OWED:
            self.fail("I8", f"an offer left while the payment was {state}")
        self.given_up.add(id.digest)

    def _state(self, digest: str) -> State | None:
        item = self.run.world.dynamo.tables["payments"].get(f"PAY#{digest}")
        return State(item["state"]["S"]) if item else None

    def _paid_by(self, body: bytes) -> State | None:
        """How the payment stands that a body was made for: a second payment may get the first one's."""
        made_for = [digest for digest, text in self.run.world.upstream.served if text == body]
        return self._state(made_for[0]) if made_for else None


def i1_one_run_per_payment(run: "Run") -> None:
    """I1: the upstream runs at most once for a payment, whoever sends it and however often."""
    if "" in run.world.upstream.runs:
        raise broken(run, "I1", "the upstream ran for no payment")
    for digest, count in Counter(run.world.upstream.runs).items():
        if count > 1:
            raise broken(run, "I1", f"the upstream ran {count} times for {digest[:8]}")


def i2_one_transfer_one_nonce(run: "Run") -> None:
    """I2: one transfer per payment on chain, and one relayer nonce that was ever offered for it."""
    uses = Counter(
        (log.topics[1], log.topics[2]) for log in chain_logs(run) if log.topics[0] == eip3009.AUTHORIZATION_USED_TOPIC
    )
    if any(count > 1 for count in uses.values()):
        raise broken(run, "I2", "an authorization moved money twice")
    relayer = run.world.signer.address().lower
    nonces: dict[bytes, set[int]] = {}
    for sent in run.world.node.seen.values():
        if sent.sender == relayer and len(sent.transaction.data) > 4:
            # from, to, value, validAfter, validBefore, nonce: whatever signature is with them.
            nonces.setdefault(sent.transaction.data[: 4 + 6 * 32], set()).add(sent.nonce)
    if any(len(found) > 1 for found in nonces.values()):
        raise broken(run, "I2", f"one payment was broadcast under several relayer nonces: {list(nonces.values())}")


def i3_settled_has_its_receipt(run: "Run") -> None:
    """I3: settled, its receipt, its log row and its Transfer are one to one."""
    transfers = proven_transfers(run)
    receipts = {row["payment"]: row for row in run.world.rows("RCT#")}
    for payment in run.world.all_payments():
        if payment.state not in _PAID | _OWED:
            continue
        row = receipts.get(payment.id.digest)
        if row is None or "reversed_at" in row:
            raise broken(run, "I3", f"{payment.state} without a receipt")
        if payment.transaction is None or payment.log_index is None:
            raise broken(run, "I3", f"{payment.state} without naming its log")
        owner = transfers.get((str(payment.transaction), payment.log_index))
        if owner is None or owner != (payment.id.payer, payment.id.nonce):
            raise broken(run, "I3", f"the receipt of {payment.id.digest[:8]} has no Transfer on the chain")
        held = run.world.table.get(log_key(payment.id, payment.transaction, payment.log_index))
        if held is None or held["payment"] != payment.id.digest:
            raise broken(run, "I3", "a settled payment does not hold its log row")
    settled = {p.id.digest for p in run.world.all_payments() if p.state in _PAID | _OWED}
    stray = [d for d, row in receipts.items() if d not in settled and "reversed_at" not in row]
    if stray:
        raise broken(run, "I3", f"receipts without a settled payment: {stray}")


def i4_the_books_add_up(run: "Run") -> None:
    """I4: revenue is what the settled payments brought, and with what is owed back it is what the chain brought.

    Fees are those of the payments that stand in the revenue.
    """
    payments = run.world.all_payments()
    settled = sum(p.claim.authorization.value for p in payments if p.state in _PAID)
    count = sum(p.state in _PAID for p in payments)
    if run.world.revenue() != (settled, count):
        raise broken(run, "I4", f"revenue {run.world.revenue()} but settled ({settled}, {count})")
    fees = [p.claim.fee for p in payments if p.state in _PAID and p.claim.fee]
    rows = run.world.rows("FEE#")
    if (sum(row["amount"] for row in rows), sum(row["payments"] for row in rows)) != (sum(fees), len(fees)):
        raise broken(run, "I4", f"the owner owes {rows}, the settled payments say {fees}")
    owed = sum(p.claim.authorization.value for p in payments if p.state in _OWED)
    earned = run.world.node.balance(str(PAY_TO))
    if earned != settled + owed:
        raise broken(run, "I4", f"the chain brought {earned}, the books explain {settled} + {owed} owed back")


def i6_service_is_paid_or_a_debt(run: "Run") -> None:
    """I6: what was served is settled, or stands as exactly one debt; and nothing that was paid is a debt."""
    debts = {row["pk"].removeprefix("DEBT#") for row in run.world.rows("DEBT#")}
    served = {digest for digest, _ in run.world.upstream.served}
    # An answer that could not be kept is not sold: its buyer got a 502.
    served -= {str(fields.get("payment")) for event, fields in run.world.diary.events if event is Event.UPSTREAM_FAILED}
    for payment in run.world.all_payments():
        digest = payment.id.digest
        if payment.state in _PAID and digest in debts and digest not in run.watch.reversed:
            raise broken(run, "I6", f"{digest[:8]} is settled and a debt")
        if digest in served and payment.state not in _PAID | _OWED and digest not in debts:
            raise broken(run, "I6", f"{digest[:8]} was served, is {payment.state}, and nobody owes for it")


def i7_payment_without_service_is_owed(run: "Run") -> None:
    """I7: what was paid and not served stands as exactly one liability."""
    owed = {row["pk"].removeprefix("LIA#") for row in run.world.rows("LIA#")}
    for payment in run.world.all_payments():
        if (payment.state in _OWED) != (payment.id.digest in owed):
            raise broken(run, "I7", f"{payment.id.digest[:8]} is {payment.state}, its liability row says otherwise")
    due = {row["pk"].removeprefix("RFD#") for row in run.world.rows("RFD#") if "reversed_at" not in row}
    for payment in run.world.all_payments():
        if (payment.state is State.REFUND_DUE) != (payment.id.digest in due):
            raise broken(run, "I7", f"{payment.id.digest[:8]} is {payment.state}, its refund row says otherwise")
        if payment.claim.flow is Flow.UPFRONT and payment.state is State.SETTLED:
            raise broken(run, "I7", "settled first, and neither served nor owed back")


def i9_one_log_one_receipt(run: "Run") -> None:
    """I9: no two receipts name the same log."""
    named = Counter(
        (row["transaction"], row["log_index"]) for row in run.world.rows("RCT#") if "reversed_at" not in row
    )
    if any(count > 1 for count in named.values()):
        raise broken(run, "I9", "one log backs two receipts")


def i11_everything_ends(run: "Run") -> None:
    """I11: once faults stop, no payment is open, nothing waits on the work list, no settlement is under way."""
    for payment in run.world.all_payments():
        if payment.state in OPEN:
            raise broken(run, "I11", f"{payment.id.digest[:8]} stays {payment.state}")
    if run.world.next_due() is not None:
        raise broken(run, "I11", "the work list is not empty")
    if run.world.parked():
        raise broken(run, "I11", f"reconcile gave up looking at {run.world.parked()}")
    waiting = [s for s in run.world.all_settlements() if s.state in (SettlementState.RESERVED, SettlementState.SIGNED)]
    if waiting:
        raise broken(run, "I11", f"settlements under way: {[s.state.value for s in waiting]}")


def i11_the_queue_moves_on(run: "Run") -> None:
    """I11: whatever died, the next buyer is served at once: no nonce is left that blocks the relayer's queue."""
    if run.last_buyer is None:
        return
    told = run.last_buyer.told[-1]
    if told.answer.status != 200:
        raise broken(run, "I11", f"the next buyer got {told}")


def i12_signed_again_only_when_told(run: "Run") -> None:
    """I12: a buyer is charged once a purchase, never for a payment that it was told would not be used,
    and what was paid was delivered."""
    for buyer in run.buyers:
        ids = {payment_id(header).digest for header in buyer.signed}
        mine = [p for p in run.world.all_payments() if p.id.digest in ids]
        charged = [p for p in mine if p.state in _PAID]
        if len(charged) > 1:
            raise broken(run, "I12", f"one purchase was charged {len(charged)} times")
        for payment in charged:
            if payment.id.digest in run.watch.given_up:
                raise broken(run, "I12", "a payment was charged after its buyer was told to sign another")
        if any(p.state in _SERVED for p in charged) and buyer.body is None and not run.scenario.buyer_leaves:
            raise broken(run, "I12", f"paid and never served; last told {buyer.told[-1]}")
        if buyer.body is not None and not any(p.state in _SERVED for p in charged) and not (run.watch.reversed & ids):
            raise broken(run, "I12", "a body was given away")
        spent = buyer.balance - run.world.node.balance(str(buyer.address))
        taken = sum(p.claim.authorization.value for p in mine if p.state in _PAID | _OWED)
        if spent != taken and not run.scenario.payer_spends:
            raise broken(run, "I12", f"the payer lost {spent}, the books explain {taken}")


def i13_no_secret_is_logged(run: "Run") -> None:
    """I13: no signature, identifier or paid body in any log line."""
    lines = "\n".join(str(fields) for _, fields in run.world.diary.events)
    secrets = ["paid-body", *(s for buyer in run.buyers for s in buyer.secrets())]
    for secret in secrets:
        if secret in lines:
            raise broken(run, "I13", "the log holds a signature, an identifier or a body")


def i14_reconcile_again_changes_nothing(run: "Run") -> None:
    """I14: a pass over what is finished leaves every row as it is."""
    before = snapshot(run)
    run.world.reconcile()
    run.world.reconcile()
    if snapshot(run) != before:
        raise broken(run, "I14", "another pass changed the ledger")


def nothing_failed_by_itself(run: "Run") -> None:
    """A process that is not killed ends in time, without an exception that nobody planned."""
    for process, error in run.world.failures:
        if not run.world.expected(error) or not run.aws_fails:
            raise broken(run, "no bug", f"{process} raised {error!r}") from error
    if run.world.late:
        raise broken(run, "budgets", f"over its time: {run.world.late}")


ALL = (
    nothing_failed_by_itself,
    i1_one_run_per_payment,
    i2_one_transfer_one_nonce,
    i3_settled_has_its_receipt,
    i4_the_books_add_up,
    i6_service_is_paid_or_a_debt,
    i7_payment_without_service_is_owed,
    i9_one_log_one_receipt,
    i11_everything_ends,
    i12_signed_again_only_when_told,
    i13_no_secret_is_logged,
    i14_reconcile_again_changes_nothing,
    i11_the_queue_moves_on,
)


def snapshot(run: "Run") -> dict[str, dict[str, Item]]:
    """Every row of every table, but for how far the chain is compared: that follows the chain."""
    return {
        name: {key: item for key, item in items.items() if not key.startswith("SCAN#")}
        for name, items in run.world.dynamo.tables.items()
    }


def chain_logs(run: "Run") -> list[Log]:
    """Every log of the chain as it stands."""
    return [
        Log(
            address=Address.parse(address),
            topics=tuple(bytes.fromhex(topic[2:]) for topic in topics),
            data=bytes.fromhex(data[2:]),
            log_index=mined.first_log + position,
            transaction=Bytes32.parse(mined.sent.hash),
            block_number=mined.number,
            block_hash=Bytes32.parse(run.world.node.hash_of(mined.number)),
        )
        for mined in run.world.node.mined()
        for position, (address, topics, data) in enumerate(mined.ran.logs)
    ]


def proven_transfers(run: "Run") -> dict[tuple[str, int], tuple[Address, Bytes32]]:
    """(transaction, index of the Transfer) to the payment that it proves, read without the code under test."""
    logs = chain_logs(run)
    found: dict[tuple[str, int], tuple[Address, Bytes32]] = {}
    for used, transfer in pairwise(logs):
        follows = used.transaction == transfer.transaction and transfer.log_index == used.log_index + 1
        if (
            follows
            and used.topics[0] == eip3009.AUTHORIZATION_USED_TOPIC
            and transfer.topics[0] == eip3009.TRANSFER_TOPIC
            and transfer.topics[2] == eip3009.address_word(PAY_TO)
        ):
            key = (str(transfer.transaction), transfer.log_index)
            found[key] = (Address(used.topics[1][12:]), Bytes32(used.topics[2]))
    return found
