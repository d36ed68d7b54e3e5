"""Sellers that are right but for one thing, by the check that must notice it."""

import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from tests.conformance.hostile import LIE
from tests.conformance.reference_shop import Disk, Record, ReferenceShop
from tests.conformance.shop import CHEAP, PRICES, Reply


class ServesUnpaid(ReferenceShop):
    """The paywall lets everybody through."""

    def offer(self, path: str, price: int, reason: str = "") -> Reply:
        return self.run("GET", path, "", b"")


class NeverSettles(ReferenceShop):
    """A signature is taken for the money."""

    def settled(self, record: Record, path: str) -> Reply | None:
        record.state = "settled"
        return None


class KeepsNoRecord(ReferenceShop):
    """Every request is the first one."""

    def claim(self, record: Record, identifier: str | None) -> Record | None:
        return None


class IgnoresSettle(ReferenceShop):
    """Settles, and serves whatever came of it."""

    def settled(self, record: Record, path: str) -> Reply | None:
        self.ask(record, path)
        record.state = "settled"
        return None


class TrustsAnyAnswer(ReferenceShop):
    """An answer of /settle, broken ones included, is taken for a success."""

    def ask(self, record: Record, path: str) -> str:
        super().ask(record, path)
        return LIE


class IgnoresTheStatus(ReferenceShop):
    """Only the body of /settle's answer counts."""

    def ask(self, record: Record, path: str) -> str:
        message = {"paymentPayload": record.payment, "paymentRequirements": record.payment["accepted"]}
        self.asked.append(time.monotonic())
        try:
            got = self._http.request("POST", self.facilitator.url + "/settle", body=json.dumps(message).encode())
            said = json.loads(got.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return ""
        return str(said["transaction"]) if said.get("success") is True else ""


class TakesATransactionForSuccess(ReferenceShop):
    """Whatever names a transaction was paid: pending and failed ones too."""

    def ask(self, record: Record, path: str) -> str:
        message = {"paymentPayload": record.payment, "paymentRequirements": record.payment["accepted"]}
        self.asked.append(time.monotonic())
        try:
            got = self._http.request("POST", self.facilitator.url + "/settle", body=json.dumps(message).encode())
            return str(json.loads(got.data).get("transaction") or "")
        except (urllib3.exceptions.HTTPError, ValueError):
            return ""


class OffersAgainWhileUnknown(ReferenceShop):
    """An unknown outcome is answered like an unpaid request."""

    def refused(self, status: int, record: Record) -> Reply:
        return self.offer("/cheap", CHEAP, "settlement failed")


class SendsNoReceipt(ReferenceShop):
    """The goods come without PAYMENT-RESPONSE."""

    def hand_out(self, record: Record) -> Reply:
        assert record.answer is not None
        return record.answer


class NeverServes(ReferenceShop):
    """Its handler is never reached."""

    def run(self, method: str, path: str, query: str, body: bytes) -> Reply:
        return Reply(502)


class TrustsAccepted(ReferenceShop):
    """The client says what the terms were."""

    def wrong(self, payment: dict[str, Any], path: str, price: int) -> str:
        return "" if isinstance(payment.get("accepted"), dict) else "no_matching_requirements"


class PricesByPath(ReferenceShop):
    """The method does not count when a payment is checked."""

    def wrong(self, payment: dict[str, Any], path: str, price: int) -> str:
        lowest = min((p for (_, pattern), p in PRICES.items() if pattern == path), default=price)
        return super().wrong(payment, path, lowest)


class PricesWithoutTheQuery(ReferenceShop):
    """The query does not count when a payment is checked."""

    def wrong(self, payment: dict[str, Any], path: str, price: int) -> str:
        return super().wrong(payment, path, CHEAP if path == "/sized" else price)


class MatchesBeforeItDecodes(ReferenceShop):
    """What the paywall does not know goes to the handler, decoded."""

    def request(self, method: str, path: str, **how: Any) -> Reply:
        reply = super().request(method, path, **how)
        return self.run(method, unquote(path), "", b"") if reply.status == 404 else reply


class RecordsTheClientsResource(ReferenceShop):
    """Sign-in access is kept for ``resource.url`` as the client sent it."""

    def wrong(self, payment: dict[str, Any], path: str, price: int) -> str:
        return super().wrong({key: value for key, value in payment.items() if key != "resource"}, path, price)

    def settled(self, record: Record, path: str) -> Reply | None:
        return super().settled(record, urlsplit(record.payment["resource"]["url"]).path)


class ChecksThenSets(ReferenceShop):
    """Looks whether it knows the payment, and writes it down later."""

    def claim(self, record: Record, identifier: str | None) -> Record | None:
        known = self.disk.records.get(self.disk.identifiers.get(str(identifier), record.key))
        time.sleep(0.2)
        if known is None:
            self.disk.records[record.key] = record
            self.disk.identifiers[str(identifier)] = record.key
        return known


class RemembersInTheProcess(ReferenceShop):
    """Each replica has a memory of its own, which ends with it."""

    def replica(self) -> ReferenceShop:
        return type(self)(self.chain, Disk(), self)

    def restart(self) -> None:
        self.disk = Disk()


class WritesDownAfterSettling(ReferenceShop):
    """A payment is durable once /settle has answered."""

    def settled(self, record: Record, path: str) -> Reply | None:
        del self.disk.records[record.key]
        self.disk.identifiers.clear()
        unsettled = super().settled(record, path)
        self.disk.records[record.key] = record
        return unsettled


class RefusesNamelessly(ReferenceShop):
    """A resend is refused, and nobody learns what became of the payment."""

    def known(self, known: Record, asked: Record) -> Reply:
        return self.refused(503, known)

    def refused(self, status: int, record: Record) -> Reply:
        return Reply(status, {}, b'{"error":"not now"}')


class SettlesFirst(ReferenceShop):
    """The money moves before the handler has run, although authorization was offered."""

    def settles_first(self, path: str) -> bool:
        return True


class SellsBelow400(ReferenceShop):
    """A redirect is sold."""

    def sellable(self, status: int) -> bool:
        return status < 400


class SellsHead(ReferenceShop):
    """A paid HEAD is settled like a GET."""

    def request(self, method: str, path: str, **how: Any) -> Reply:
        paid = how.get("payment") is not None
        return super().request("GET" if method == "HEAD" and paid else method, path, **how)


class GuardsGetOnly(ReferenceShop):
    """HEAD goes around the paywall."""

    def request(self, method: str, path: str, **how: Any) -> Reply:
        return self.run("GET", path, "", b"") if method == "HEAD" else super().request(method, path, **how)


class KeepsTheHandlersCaching(ReferenceShop):
    """Cache-Control is the handler's business."""

    def run(self, method: str, path: str, query: str, body: bytes) -> Reply:
        got = self._http.request(method, self.handler.url + path)
        return Reply(got.status, {name.lower(): value for name, value in got.headers.items()}, got.data)


class SaysNothingOfCaching(ReferenceShop):
    """No Cache-Control at all."""

    def run(self, method: str, path: str, query: str, body: bytes) -> Reply:
        return replace(super().run(method, path, query, body), headers={})


class RunsBeforeItSettles(ReferenceShop):
    """Offers upfront, and settles afterwards."""

    def settles_first(self, path: str) -> bool:
        return False


class TakesAnyFlow(ReferenceShop):
    """``extra.paymentFlow`` is not compared."""

    def wrong(self, payment: dict[str, Any], path: str, price: int) -> str:
        accepted = payment["accepted"]
        extra = {key: value for key, value in accepted["extra"].items() if key != "paymentFlow"}
        return super().wrong({**payment, "accepted": {**accepted, "extra": extra}}, path, price)


class SellsNothing(ReferenceShop):
    """No paid route."""

    def price(self, method: str, path: str, query: str) -> int | None:
        return None


class ForgetsIdentifiers(ReferenceShop):
    """A record is keyed by the payment alone."""

    def identifier(self, payment: dict[str, Any]) -> str | None:
        return None


class Rewrites(ReferenceShop):
    """Every paid answer is a plain 200."""

    def hand_out(self, record: Record) -> Reply:
        reply = super().hand_out(record)
        return Reply(200, {"payment-response": reply.headers["payment-response"]}, reply.body)


class RecordsOnDelivery(ReferenceShop):
    """What nobody was there to receive is forgotten."""

    def delivered(self, record: Record, hung_up: bool) -> None:
        if hung_up:
            self.disk.records.clear()


class DropsOnABadHeader(ReferenceShop):
    """It dies of what it cannot decode."""

    def read(self, header: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(header)
        return read


class FailsOnABadHeader(DropsOnABadHeader):
    """The framework catches what the shop does not: 500."""

    def request(self, method: str, path: str, **how: Any) -> Reply:
        try:
            return super().request(method, path, **how)
        except ValueError:
            return Reply(500, {}, b"Internal Server Error")


class GivesUpAfterAnError(ReferenceShop):
    """An answer that was lost is a payment that failed."""

    def refused(self, status: int, record: Record) -> Reply:
        record.state = "given up"
        return super().refused(status, record)


FAULTY: dict[str, tuple[type[ReferenceShop], ...]] = {
    "R0": (ServesUnpaid, SellsNothing),
    "R1": (NeverSettles, NeverServes),
    "R2": (KeepsNoRecord,),
    "R3": (IgnoresSettle, TrustsAnyAnswer, OffersAgainWhileUnknown),
    "R4": (IgnoresSettle, TrustsAnyAnswer, OffersAgainWhileUnknown),
    "R5": (IgnoresSettle, TrustsAnyAnswer, IgnoresTheStatus),
    "R6": (IgnoresSettle, TrustsAnyAnswer, OffersAgainWhileUnknown),
    "R7": (IgnoresSettle, TrustsAnyAnswer, OffersAgainWhileUnknown),
    "R8": (IgnoresSettle, TrustsAnyAnswer, TakesATransactionForSuccess),
    "R9": (IgnoresSettle, TrustsAnyAnswer, TakesATransactionForSuccess),
    "R10": (SendsNoReceipt,),
    "R11": (NeverServes,),
    "R11a": (TrustsAccepted,),
    "R11b": (TrustsAccepted,),
    "R11c": (PricesByPath,),
    "R11d": (PricesWithoutTheQuery,),
    "R11e": (MatchesBeforeItDecodes,),
    "R11f": (RecordsTheClientsResource,),
    "R12": (ChecksThenSets, ForgetsIdentifiers),
    "R13": (RemembersInTheProcess, ForgetsIdentifiers),
    "R14": (RemembersInTheProcess, WritesDownAfterSettling, RefusesNamelessly),
    "R15": (SettlesFirst, SellsBelow400),
    "R16": (SellsHead,),
    "R16a": (GuardsGetOnly,),
    "R17": (KeepsTheHandlersCaching, SaysNothingOfCaching),
    "R18": (TakesATransactionForSuccess, RefusesNamelessly),
    "R19": (RunsBeforeItSettles, TakesAnyFlow),
    "R20": (SellsNothing,),
    "R20a": (ForgetsIdentifiers, KeepsNoRecord),
    "R20b": (KeepsNoRecord,),
    "R22": (Rewrites,),
    "R23": (RecordsOnDelivery, KeepsNoRecord),
    "F6": (IgnoresSettle, TrustsAnyAnswer),
    "F9": (IgnoresTheStatus, GivesUpAfterAnError),
    "R24": (DropsOnABadHeader, FailsOnABadHeader),
}
