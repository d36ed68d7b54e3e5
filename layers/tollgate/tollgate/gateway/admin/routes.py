"""Routes that their owners register: list, read, create, replace, delete, and what became of them before.

Each owner sees and changes its own and learns nothing of others'. A change is made of the newest routes or not at
all: its own version is what If-Match says, and the table's version is held while it is written.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tollgate.errors import LostRace
from tollgate.gateway.admin.owned import ID, read_owned
from tollgate.gateway.admin.sign_in import READ, AdminRefused, SignedIn, SignIns, change_id
from tollgate.gateway.admin.view import change_view, route_view
from tollgate.gateway.catalogue import Catalogue, merge
from tollgate.gateway.declaring.changes import fields_between
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.messages import Request
from tollgate.gateway.path_pattern import PathPattern
from tollgate.gateway.ports import Clock
from tollgate.ledger.owners import OwnerRow
from tollgate.ledger.routes import CatalogueFull
from tollgate.payment.events import Event, Journal
from tollgate.payment.revisions import Revision, RouteChange
from tollgate.payment.route_json import routes_to_json
from tollgate.payment.routes import Route, Snapshot
from tollgate.wire import headers
from tollgate.wire.primitives import Address

ROUTES_PATH = "/x402/admin/routes"
CHANGES_PATH = "/x402/admin/changes"
PAGE = 20
_SCANNED = 100
_TRIES = 5
# What an owner may take of the one item that all routes share, former prices included: for each route that it may
# have, and at least.
_BYTES_A_ROUTE, _BYTES_AT_LEAST = 4_096, 32_768
# Within the five minutes for which a sign-in is good; the item that remembers them stays small.
MOST_CHANGES = 60
_VERSION = re.compile(r'"([1-9][0-9]{0,14})"')

# What a change makes of the routes: all of them afterwards, and the one that it is about, if that is still there.
Edit = Callable[[Snapshot, OwnerRow], tuple[list[Route], Route | None]]


class Store(Protocol):
    """The routes table, as owners use it."""

    def owner(self, address: Address) -> OwnerRow | None:
        """An owner, in one consistent read."""

    def load(self) -> Snapshot:
        """All routes, read at once."""

    def revisions(self, versions: Iterable[int]) -> list[Revision]:
        """Those of these versions that are on record, the newest first."""

    def commit(
        self, routes: Sequence[Route], version: int, change: RouteChange, row: OwnerRow, used: tuple[str, int], now: int
    ) -> int:
        """The routes after ``version``, with record and used sign-in, or nothing. Raises ``LostRace``."""


@dataclass(frozen=True, slots=True)
class OwnedRoutes:
    """The use case. ``facts`` are the stack's, with its own ``secret_prefix``; ``registration_path`` is where
    registering a route is sold, "" where it is not."""

    store: Store
    sign_ins: SignIns
    facts: StackFacts
    clock: Clock
    journal: Journal
    registration_path: str = ""

    def listed(self, request: Request) -> dict[str, Any]:
        """All routes of the one who signed in. Raises ``AdminRefused``."""
        owner = self._reader(request)
        routes = [route for route in self.store.load().routes if route.owner == owner]
        declared = self._declarations(routes)
        return {"routes": [route_view(route, declared.get(route.revision)) for route in routes]}

    def show(self, request: Request, id: str) -> tuple[dict[str, Any], int]:
        """One route, and its version. Raises ``AdminRefused``: also 404."""
        owner = self._reader(request)
        route = _own(self.store.load(), owner, id)
        return route_view(route, self._declarations([route]).get(route.revision)), route.revision

    def register(self, request: Request, *, paid: bool = False) -> tuple[dict[str, Any], int]:
        """Register the route that the body declares; its view and version. Raises ``BadRequest``.

        Where that is sold, whoever has not ``paid`` gets 409 in the place of success: what is wrong is said for free.
        """

        def edit(snapshot: Snapshot, row: OwnerRow) -> tuple[list[Route], Route]:
            route = read_owned(request.body, None, row.owner, self.facts)
            if any(other.id.lower() == route.id for other in snapshot.routes):
                raise _conflict("id_taken", f"There is a route {route.id} already: choose another id.")
            _check_place(snapshot, route)
            if sum(1 for other in snapshot.routes if other.owner == row.owner.address) >= row.owner.max_routes:
                raise _conflict("too_many_routes", f"You may have {row.owner.max_routes} routes: delete one first.")
            if self.registration_path and not paid:
                url = f"{self.sign_ins.base_url}{self.registration_path}"
                sentence = f"This route can be registered, and registering is sold: at {url}, with this same sign-in."
                raise AdminRefused(409, "registration_is_sold", sentence, {"url": url})
            return [*snapshot.routes, route], route

        route, version, declaration = self._change(request, edit)
        assert route is not None
        return route_view(route, declaration), version

    def change(self, request: Request, id: str) -> tuple[dict[str, Any], int]:
        """Put what the body declares in the place of a route. Raises as ``register``, and 404, 412, 428."""

        def edit(snapshot: Snapshot, row: OwnerRow) -> tuple[list[Route], Route]:
            old = _changeable(snapshot, row.owner.address, id, request)
            route = read_owned(request.body, id, row.owner, self.facts)
            _check_place(snapshot, route)
            return [route if other is old else other for other in snapshot.routes], route

        route, version, declaration = self._change(request, edit)
        assert route is not None
        return route_view(route, declaration), version

    def remove(self, request: Request, id: str) -> None:
        """Take a route away: nothing is sold there any more. Raises ``AdminRefused``: also 404, 412, 428."""

        def edit(snapshot: Snapshot, row: OwnerRow) -> tuple[list[Route], None]:
            old = _changeable(snapshot, row.owner.address, id, request)
            return [other for other in snapshot.routes if other is not old], None

        self._change(request, edit)

    def versions(self, request: Request, id: str, before: int | None) -> dict[str, Any]:
        """What a route was before, the newest first, ``PAGE`` at a time; ``before`` is the ``next`` of a page."""
        owner = self._reader(request)
        newest = _own(self.store.load(), owner, id).revision
        version = newest if before is None else min(newest, before - 1)
        found: list[dict[str, Any]] = []
        while version and len(found) < PAGE:
            made = self._made(version, owner, id)
            if made is None:
                # Not one of this route's, or older than the record.
                version = 0
                break
            found.append(change_view(*made))
            version = made[1].previous
        return {"versions": found, "next": version + 1 if version else None}

    def changes(self, request: Request, before: int | None) -> dict[str, Any]:
        """Who changed which of the owner's routes, and when, the newest first.

        One page looks at ``_SCANNED`` versions of all owners' routes, so it may be empty and yet have a ``next``.
        """
        owner = self._reader(request)
        version = self.store.load().version
        newest = version if before is None else min(version, before - 1)
        oldest = max(0, newest - _SCANNED)
        found = [
            change_view(revision, change)
            for revision in self.store.revisions(range(newest, oldest, -1))
            for change in revision.changes
            if change.owner == owner
        ]
        return {"changes": found, "next": oldest + 1 if oldest else None}

    def _reader(self, request: Request) -> Address:
        signed = self._signed(request, READ)
        self._row(signed)
        return signed.address

    def _signed(self, request: Request, request_id: str) -> SignedIn:
        header = request.headers.get(headers.SIGN_IN_WITH_X)
        return self.sign_ins.check(header, request.raw_path, request_id, int(self.clock()))

    def _row(self, signed: SignedIn) -> OwnerRow:
        row = self.store.owner(signed.address)
        if row is None:
            self.journal.record(Event.OWNER_REFUSED, owner=signed.address.lower, why="not_an_owner")
            raise AdminRefused(
                403, "not_an_owner", "This wallet may not register routes here; the operator of this API says who may."
            )
        return row

    def _change(self, request: Request, edit: Edit) -> tuple[Route | None, int, Mapping[str, Any] | None]:
        if_match = request.headers.get("if-match", "")
        signed = self._signed(request, change_id(request.method, request.raw_path, if_match, request.body))
        for _ in range(_TRIES):
            now = int(self.clock())
            row = self._row(signed)
            self._check_unused(row, signed, now)
            snapshot = self.store.load()
            wanted, route = edit(snapshot, row)
            version = snapshot.version + 1
            if route is not None:
                made = replace(route, revision=version)
                wanted = [made if other is route else other for other in wanted]
                route = made
            merged = merge(snapshot.routes, wanted, now)
            Catalogue(Snapshot(merged))
            if route is not None:
                _check_room(merged, row)
            declaration = None if route is None else _normal(request.body, route.id)
            change = _recorded(snapshot.routes, merged, route, declaration)
            try:
                self.store.commit(merged, snapshot.version, change, row, (signed.nonce, signed.until), now)
            except LostRace:
                continue
            except CatalogueFull as full:
                raise _conflict("catalogue_full", "There is no room for it: ask the operator of this API.") from full
            self.journal.record(
                Event.ROUTE_CHANGED, owner=signed.address.lower, route=change.id, kind=change.kind, version=version
            )
            return route, version, declaration
        sentence = "Others are changing routes at the same moment. Nothing was changed: sign and send it again."
        raise AdminRefused(503, "busy", sentence, headers=(("retry-after", "1"),))

    def _check_unused(self, row: OwnerRow, signed: SignedIn, now: int) -> None:
        if row.has_used(signed.nonce):
            self.journal.record(Event.OWNER_REFUSED, owner=signed.address.lower, why="sign_in_used")
            sentence = "This sign-in has made its change already. Look at the route; for another change sign anew."
            raise _conflict("sign_in_used", sentence)
        lively = sorted(until for _, until in row.used if until >= now)
        if len(lively) >= MOST_CHANGES:
            wait = lively[0] - now + 1
            sentence = f"You have made {MOST_CHANGES} changes within minutes; wait {wait} s."
            raise AdminRefused(429, "too_many_changes", sentence, headers=(("retry-after", str(wait)),))

    def _declarations(self, routes: Sequence[Route]) -> dict[int, Mapping[str, Any]]:
        """What their owners sent, by version."""
        return {
            revision.version: change.declaration
            for revision in self.store.revisions(route.revision for route in routes if route.revision)
            for change in revision.changes
            if change.declaration is not None
        }

    def _made(self, version: int, owner: Address, id: str) -> tuple[Revision, RouteChange] | None:
        """The change of that version that was of this owner's route: an id may have been another's before."""
        for revision in self.store.revisions([version]):
            for change in revision.changes:
                if change.owner == owner and change.id == id:
                    return revision, change
        return None


def _check_room(routes: Iterable[Route], row: OwnerRow) -> None:
    """One owner leaves the others room, however often it changes what it has."""
    size = len(routes_to_json([route for route in routes if route.owner == row.owner.address]).encode())
    most = max(_BYTES_AT_LEAST, _BYTES_A_ROUTE * row.owner.max_routes)
    if size > most:
        raise _conflict(
            "routes_too_large",
            f"Your routes, with the prices that they had within the last minutes, take {size} bytes of {most}: wait"
            " until those prices are over, or declare fewer tiers and networks.",
        )


def _recorded(
    current: Sequence[Route], merged: Sequence[Route], route: Route | None, declaration: Mapping[str, Any] | None
) -> RouteChange:
    """The change as it is kept; one that changes nothing of what is sold is kept too."""
    kept = {other.id for other in merged}
    old = next((o for o in current if (o.id not in kept if route is None else o.id == route.id)), None)
    of = route or old
    assert of is not None
    kind = "remove" if route is None else "add" if old is None else "change"
    place, previous = f"{of.method} {of.pattern}", 0 if old is None else old.revision
    return RouteChange(kind, of.id, place, of.owner, fields_between(old, route), previous, declaration)


def _normal(body: bytes, id: str) -> dict[str, Any]:
    """What was declared, parsed once already, with its id."""
    declared: dict[str, Any] = json.loads(body)
    return {"id": id, **declared}


def _own(snapshot: Snapshot, owner: Address, id: str) -> Route:
    """The owner's route; another's is answered like one that does not exist."""
    for route in snapshot.routes if ID.fullmatch(id) else ():
        if route.id == id and route.owner == owner:
            return route
    raise AdminRefused(404, "unknown_route", "You have no such route.")


def _changeable(snapshot: Snapshot, owner: Address, id: str, request: Request) -> Route:
    route = _own(snapshot, owner, id)
    if not route.revision:
        raise _conflict("managed_by_operator", "The operator declares this route in a file: ask there to change it.")
    given = request.headers.get("if-match", "")
    details = {"version": route.revision}
    if not given:
        sentence = f'Say which version you change: If-Match: "{route.revision}", and sign that.'
        raise AdminRefused(428, "version_required", sentence, details)
    match = _VERSION.fullmatch(given)
    if match is None or int(match[1]) != route.revision:
        sentence = f"The route is version {route.revision} by now. Read it again; nothing was changed."
        raise AdminRefused(412, "version_changed", sentence, details)
    return route


def _check_place(snapshot: Snapshot, route: Route) -> None:
    shape = PathPattern.parse(route.pattern).shape
    for other in snapshot.routes:
        taken = other.id != route.id and other.method == route.method
        if taken and PathPattern.parse(other.pattern).shape == shape:
            raise _conflict("path_taken", f"{route.method} {route.pattern} is another route already.")


def _conflict(code: str, sentence: str) -> AdminRefused:
    return AdminRefused(409, code, sentence)
