"""The routes table: the whole catalogue in one item, and one status item per network.

    CATALOGUE           {version, routes: JSON, applied_at}    replaced as a whole, under its version
    CHANGE#<version>    {at, actor, changes: JSON, zlib}       who made that version, in the same transaction
    NETWORK#<caip2>     {status: JSON, checked_at}             the newest check stays
    HEALTH              {health: JSON, checked_at}             the same, of upstreams that say where to look

One item holds all routes, so that a proxy never sees half of a change and a wrong file changes nothing.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tollgate.errors import ConfigurationError
from tollgate.ledger.dynamo import ConditionFailed, Delete, Item, Put, Table, TransactionCancelled, Value
from tollgate.payment.revisions import Revision, RouteChange, changes_from_json, changes_to_json
from tollgate.payment.route_json import (
    health_from_json,
    health_to_json,
    routes_from_json,
    routes_to_json,
    status_from_json,
    status_to_json,
)
from tollgate.payment.routes import NetworkStatus, Route, Snapshot, UpstreamHealth
from tollgate.wire.primitives import Network

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CATALOGUE = "CATALOGUE"
_HEALTH = "HEALTH"
# DynamoDB's item limit is 400 kB; the rest is for keys and numbers.
MAX_CATALOGUE_BYTES = 390_000


class CatalogueFull(ConfigurationError):
    """The routes do not fit into their item."""


class RoutesTable:
    """Routes and network statuses in DynamoDB. ``networks`` are those whose status is read: the stack's own."""

    def __init__(self, client: "DynamoDBClient", table_name: str, networks: Iterable[Network]) -> None:
        self._table = Table(client, table_name)
        self._status_keys = [_network_key(network) for network in networks]

    def load(self) -> Snapshot:
        """Routes and networks, in one consistent BatchGetItem. Raises ``ConfigurationError`` if they cannot be read."""
        return self._snapshot(self._table.get_many([_CATALOGUE, *self._status_keys]))

    def load_with_health(self) -> Snapshot:
        """The same, and what was last seen of upstreams, which no paid call depends on. Raises as ``load``."""
        items = self._table.get_many([_CATALOGUE, *self._status_keys, _HEALTH])
        health = health_from_json(items[_HEALTH]["health"]) if _HEALTH in items else ()
        return replace(self._snapshot(items), health=health)

    def _snapshot(self, items: Mapping[str, Item]) -> Snapshot:
        statuses = tuple(status_from_json(items[key]["status"]) for key in self._status_keys if key in items)
        catalogue = items.get(_CATALOGUE)
        if catalogue is None:
            return Snapshot((), statuses, 0)
        return Snapshot(
            routes_from_json(catalogue["routes"]), statuses, catalogue["version"], catalogue.get("applied_at", 0)
        )

    def statuses(self) -> tuple[NetworkStatus, ...]:
        """What is known of the networks, without the routes. Raises ``ConfigurationError``."""
        items = self._table.get_many(self._status_keys)
        return tuple(status_from_json(items[key]["status"]) for key in self._status_keys if key in items)

    def replace(
        self,
        routes: Sequence[Route],
        expected_version: int,
        now: int,
        actor: str = "operator",
        changes: tuple[RouteChange, ...] = (),
        also: Sequence[Put | Delete] = (),
    ) -> int:
        """Put these routes in place of version ``expected_version`` (0: of nothing); the new version.

        ``actor`` and ``changes`` are kept as its revision; ``also`` is written with it, or nothing is.
        Raises ``TransactionCancelled`` (a ``LostRace``) when somebody else replaced them meanwhile, or what stands
        in ``also`` does not hold, and ``ConfigurationError`` when they do not fit into one item; either way nothing
        is written.
        """
        text = routes_to_json(routes)
        size = len(text.encode())
        if size > MAX_CATALOGUE_BYTES:
            raise CatalogueFull(f"{len(routes)} routes are {size} bytes; the routes table holds {MAX_CATALOGUE_BYTES}")
        version = expected_version + 1
        item: dict[str, Value | None] = {
            "pk": _CATALOGUE,
            "version": version,
            "routes": text,
            "applied_at": now,
        }
        names, values = {"#version": "version"}, {":expected": expected_version}
        catalogue = Put(item) if expected_version == 0 else Put(item, "#version = :expected", values, names)
        writes = [catalogue, Put(_revision_item(Revision(version, now, actor, changes))), *also]
        try:
            self._table.transact(writes)
        except TransactionCancelled as lost:
            # The client sends a write again whose answer was lost: our own items are success (threat 41).
            if not all(_stands(write, index, lost) for index, write in enumerate(writes)):
                raise
        return version

    def revisions(self, versions: Iterable[int]) -> list[Revision]:
        """Those of these versions that are on record, the newest first; at most 100 are asked for."""
        found = self._table.get_many([_revision_key(version) for version in versions])
        return sorted(map(_revision, found.values()), key=lambda revision: -revision.version)

    def put_network_status(self, status: NetworkStatus) -> None:
        """Keep a network's status, unless a newer check is already there."""
        self._put_newest(_network_key(status.network), "status", status_to_json(status), status.checked_at)

    def put_health(self, health: Sequence[UpstreamHealth], now: int) -> None:
        """Keep what was seen of all upstreams, unless newer is there; ``now`` is Unix seconds."""
        self._put_newest(_HEALTH, "health", health_to_json(health), now)

    def _put_newest(self, pk: str, name: str, text: str, checked_at: int) -> None:
        item: dict[str, Value | None] = {"pk": pk, name: text, "checked_at": checked_at}
        newer = "attribute_not_exists(pk) OR checked_at <= :checked_at"
        try:
            self._table.write(Put(item, newer, {":checked_at": checked_at}))
        except ConditionFailed:
            return


def _stands(write: Put | Delete, index: int, lost: TransactionCancelled) -> bool:
    return isinstance(write, Put) and index in lost.failed and lost.failed[index] == write.item


def _revision_key(version: int) -> str:
    return f"CHANGE#{version}"


def _revision_item(revision: Revision) -> dict[str, Value | None]:
    text = zlib.compress(changes_to_json(revision.changes).encode(), 9)
    if len(text) > MAX_CATALOGUE_BYTES:
        raise ConfigurationError(
            f"{len(revision.changes)} changes at once are more than their record holds: apply them in two steps"
        )
    return {
        "pk": _revision_key(revision.version),
        "version": revision.version,
        "at": revision.at,
        "actor": revision.actor,
        "changes": text,
    }


def _revision(item: Item) -> Revision:
    try:
        text = zlib.decompress(item["changes"]).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the routes table holds a revision that cannot be read: {error}") from error
    return Revision(item["version"], item["at"], item["actor"], changes_from_json(text))


def _network_key(network: Network) -> str:
    return f"NETWORK#{network}"
