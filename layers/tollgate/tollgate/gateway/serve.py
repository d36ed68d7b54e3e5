"""The gateway's front: match a route, offer it, or hand a signed payment to the paid call."""

from dataclasses import dataclass, replace

from tollgate.errors import BadRequest, Refusal
from tollgate.gateway.admission import Caller, hash_identifier
from tollgate.gateway.call import Call, Parts, offer
from tollgate.gateway.catalogue import Catalogue, Match, MethodNotAllowed
from tollgate.gateway.executions import EXECUTIONS_PATH, Executions
from tollgate.gateway.forwarding import is_query
from tollgate.gateway.free_call import FreeCall
from tollgate.gateway.fresh_signature import FreshSignature
from tollgate.gateway.messages import Request
from tollgate.gateway.offers import acceptable
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.paid_call import PaidCall
from tollgate.gateway.path_pattern import SITE_DOCUMENTS
from tollgate.gateway.payment_header import PaymentHeader, Sent
from tollgate.gateway.ports import CatalogueSource
from tollgate.gateway.price_quotes import PriceUnavailable, unavailable
from tollgate.gateway.price_selection import priced
from tollgate.gateway.result_links import RESULTS_PATH
from tollgate.gateway.results import Results
from tollgate.payment.events import Event
from tollgate.payment.fingerprint import fingerprint
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import NETWORKS, Asset
from tollgate.payment.terms import check_authorization, match_requirements
from tollgate.schemes.exact import eip3009
from tollgate.wire.headers import SIGN_IN_WITH_X
from tollgate.wire.models import PaymentPayload, Requirements
from tollgate.wire.payment_identifier import identifier_of, is_secret
from tollgate.wire.reasons import Reason
from tollgate.wire.sign_in_with_x import parse_sign_in

_READS = ("GET", "HEAD")
# Lambda takes 6 MB of event, and base64 adds a third.
MAX_REQUEST_BODY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Gateway:
    """One request in, one outcome out. Nothing that matters stays in the process."""

    parts: Parts
    catalogues: CatalogueSource
    paid_call: PaidCall
    free_call: FreeCall

    @classmethod
    def of(cls, parts: Parts, catalogues: CatalogueSource) -> "Gateway":
        """Build it from its parts."""
        paid = PaidCall.of(parts)
        return cls(parts, catalogues, paid, FreeCall(parts, paid.runner))

    def handle(self, request: Request, deadline: float) -> Outcome:
        """Serve one request. ``deadline`` is when the invocation ends (Unix seconds)."""
        if request.method == "OPTIONS":
            return Outcome(Kind.PREFLIGHT)
        try:
            return self._handle(request, deadline)
        except BadRequest as refused:
            bad = refused
            if bad.code == "unknown_route" and request.raw_path in SITE_DOCUMENTS:
                if request.method in _READS:
                    return self._document(request.raw_path)
                bad = MethodNotAllowed(_READS)
            return Outcome(
                Kind.BAD_REQUEST,
                code=bad.code,
                sentence=bad.sentence,
                status=bad.status,
                allow=bad.allow if isinstance(bad, MethodNotAllowed) else "",
            )

    def _document(self, path: str) -> Outcome:
        # Imported when it is asked for: no paid call needs it.
        from tollgate.gateway.discovery.site import site_document  # noqa: PLC0415

        return Outcome(Kind.DOCUMENT, answer=site_document(path, self.catalogues.current(), self.parts.base_url))

    def _handle(self, request: Request, deadline: float) -> Outcome:
        catalogue = self.catalogues.current()
        if request.raw_path == RESULTS_PATH:
            return Results(self.parts).fetch(request, catalogue, deadline)
        if request.raw_path == EXECUTIONS_PATH:
            return Executions(self.parts).end(request)
        head = request.method == "HEAD"
        match = catalogue.match("GET" if head else request.method, request.raw_path)
        if not is_query(request.raw_query):
            raise BadRequest(400, "malformed_query", "The query must be visible ASCII: percent-encode the rest.")
        header = PaymentHeader.of(request.headers)
        measured = catalogue.measured_as(match.route)
        if match.route.free:
            return replace(self._free(request, catalogue, match, header, deadline), measured_as=measured)
        if header is None:
            match = priced(match, request)
            outcome = offer(self.parts, catalogue, match, request, deadline)
            self.parts.journal.record(Event.OFFER_MADE, route=match.route.id, kind=outcome.kind.value)
            return replace(outcome, measured_as=measured)
        if head:
            raise MethodNotAllowed(["GET"], "paid_head", "A paid HEAD would buy nothing: send GET.")
        _check_size(request)
        outcome = self._paid(request, catalogue, match, header, deadline)
        return replace(outcome, version=header.version, measured_as=measured)

    def _free(
        self, request: Request, catalogue: Catalogue, match: Match, header: PaymentHeader | None, deadline: float
    ) -> Outcome:
        _check_size(request)
        before = None if header is None else self._paid_before(request, catalogue, match, header, deadline)
        return before or self.free_call.serve(request, match, deadline)

    def _paid_before(
        self, request: Request, catalogue: Catalogue, match: Match, header: PaymentHeader, deadline: float
    ) -> Outcome | None:
        """The own answer of a payment that is on the books, where new ones are not taken (rule 1)."""
        try:
            call = self._read(request, catalogue, match, header.parse().as_offered(()), deadline)
        except (BadRequest, Refusal):
            return None
        outcome = self.paid_call.known_only(call)
        return None if outcome is None else replace(outcome, version=header.version)

    def _paid(
        self, request: Request, catalogue: Catalogue, match: Match, header: PaymentHeader, deadline: float
    ) -> Outcome:
        declared = match
        try:
            sent = header.parse()
            try:
                match = self._as_before(declared, request, sent)
                payment = self._as_offered(catalogue, match, sent)
            except BadRequest:
                payment = None
            if payment is None:
                # Another process may have offered a price that was applied seconds ago.
                catalogue = self.catalogues.fresh()
                declared = catalogue.match(request.method, request.raw_path)
                try:
                    match = self._payable(catalogue, declared, request, sent)
                except BadRequest:
                    before = self._paid_before(request, catalogue, declared, header, deadline)
                    if before is None:
                        raise
                    return before
                payment = sent.as_offered(self._acceptable(catalogue, match))
            call = self._read(request, catalogue, match, payment, deadline)
        except PriceUnavailable as down:
            # Whether it is ours to take cannot be seen; what is on the books can (rule 1).
            self.parts.journal.record(Event.PRICE_FAILED, route=declared.route.id, why=str(down))
            return self._paid_before(request, catalogue, declared, header, deadline) or unavailable()
        except Refusal as refusal:
            return self._refused(catalogue, priced(declared, request), request, deadline, refusal)
        outcome = self.paid_call.serve(call)
        if outcome.kind is Kind.NOTHING_TO_OFFER:
            # Of a request without a price there is more to say than that: 400, as without a payment.
            priced(declared, request)
        return outcome

    def _refused(
        self, catalogue: Catalogue, match: Match, request: Request, deadline: float, refusal: Refusal
    ) -> Outcome:
        self.parts.journal.record(Event.PAYMENT_REFUSED, route=match.route.id, reason=refusal.reason.value)
        return offer(self.parts, catalogue, match, request, deadline, reason=refusal.reason, sentence=refusal.sentence)

    def _acceptable(self, catalogue: Catalogue, match: Match) -> tuple[Requirements, ...]:
        return acceptable(match.route, catalogue.payable_networks(), self.parts.now())

    def _payable(self, catalogue: Catalogue, match: Match, request: Request, sent: Sent) -> Match:
        """The match at its price; one that has none any more only for a payment of what it cost before (rule 8)."""
        found = self._as_before(match, request, sent)
        if found.route.accepts or self._as_offered(catalogue, found, sent) is not None:
            return found
        return priced(match, request)

    def _as_before(self, match: Match, request: Request, sent: Sent) -> Match:
        """The match at all that this request may be paid at, among it a computed price that this payment shows.

        Raises ``BadRequest`` or ``PriceUnavailable``.
        """
        accepted = sent.payment.accepted if isinstance(sent.payment, PaymentPayload) else None
        return self.parts.quotes.honoured(priced(match, request, as_before=True), request, accepted)

    def _as_offered(self, catalogue: Catalogue, match: Match, sent: Sent) -> PaymentPayload | None:
        """The payment, if it pays what this catalogue offers."""
        known = self._acceptable(catalogue, match)
        payment = sent.as_offered(known)
        try:
            check_authorization(match_requirements(payment, known), payment.payload.authorization)
        except Refusal:
            return None
        return payment

    def _read(
        self, request: Request, catalogue: Catalogue, match: Match, payment: PaymentPayload, deadline: float
    ) -> Call:
        asset = _pinned_asset(payment)
        eip3009.check_signature(
            asset,
            payment.accepted.network,
            payment.payload.authorization,
            payment.payload.signature,
        )
        identifier = identifier_of(payment)
        signed = request.headers.get(SIGN_IN_WITH_X)
        fresh = None if signed is None else FreshSignature(parse_sign_in(signed), self.parts.domain)
        caller = Caller(
            fingerprint=fingerprint(request.method, match.route.id, match.path, request.raw_query, request.body),
            identifier=None if identifier is None else hash_identifier(identifier),
            source=request.source_address,
            fresh=fresh,
        )
        return Call(
            request=request,
            match=match,
            catalogue=catalogue,
            payment=payment,
            asset=asset,
            id=PaymentId.of(payment),
            caller=caller,
            identifier_secret=identifier is not None and is_secret(identifier),
            deadline=deadline,
        )


def _check_size(request: Request) -> None:
    if len(request.body) > MAX_REQUEST_BODY_BYTES:
        raise BadRequest(413, "request_body_too_large", "The request body is over 4 MiB.")


def _pinned_asset(payment: PaymentPayload) -> Asset:
    """The token whose domain the payer must have signed: from our table, never from the client (threat 19)."""
    info = NETWORKS.get(payment.accepted.network)
    if info is None:
        raise Refusal(Reason.INVALID_NETWORK, "This network is not known here.")
    for asset in info.assets:
        if asset.address == payment.accepted.asset:
            return asset
    raise Refusal(Reason.NO_MATCHING_REQUIREMENTS, "This asset is not known here.")
