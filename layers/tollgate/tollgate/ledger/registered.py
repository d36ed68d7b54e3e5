"""What owners register, over the routes table: the route, its record and the used sign-in in one transaction."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tollgate.ledger.owners import OwnerRow, OwnersTable, use
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.revisions import Revision, RouteChange
from tollgate.payment.routes import Route, Snapshot
from tollgate.wire.primitives import Address

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGE = 100


class RegisteredRoutes:
    """The routes table as owners use it; the networks' statuses are none of their business."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._routes = RoutesTable(client, table_name, ())
        self._owners = OwnersTable(client, table_name)

    def owner(self, address: Address) -> OwnerRow | None:
        """An owner, in one consistent read. Raises ``ConfigurationError`` if the item cannot be read."""
        return self._owners.find(address)

    def load(self) -> Snapshot:
        """All routes, read at once. Raises ``ConfigurationError``."""
        return self._routes.load()

    def revisions(self, versions: Iterable[int]) -> list[Revision]:
        """Those of these versions that are on record, the newest first."""
        asked = list(dict.fromkeys(versions))
        found: list[Revision] = []
        for start in range(0, len(asked), _PAGE):
            found += self._routes.revisions(asked[start : start + _PAGE])
        return sorted(found, key=lambda revision: -revision.version)

    def commit(
        self, routes: Sequence[Route], version: int, change: RouteChange, row: OwnerRow, used: tuple[str, int], now: int
    ) -> int:
        """Make these the routes after ``version``, by the owner of ``row``, whose sign-in ``used`` (its nonce, and
        until when it is kept) is used up with it; the new version.

        Raises ``LostRace`` when the routes or the owner are not any more what was read, and ``CatalogueFull``.
        """
        spent = use(row, *used, now)
        return self._routes.replace(routes, version, now, str(row.owner.address), (change,), [spent])
