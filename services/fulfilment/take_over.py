"""Orders whose worker is gone go to a living one, under the next fence number. Crashes don't count as failures."""

import logging
from collections.abc import Collection

from sqlalchemy import Connection, bindparam, func, select

from chassis.process import heartbeat
from fulfilment.fulfilments import COLUMNS, Fulfilment, lock, of_row, remember_tries
from fulfilment.model import IN_WORK, fulfilments, workers

log = logging.getLogger(__name__)

AT_ONCE = 500


def take_over(connection: Connection, owner: str) -> list[Fulfilment]:
    """Up to AT_ONCE orphans, now owned by `owner` and to be worked on."""
    gone = set(connection.execute(OWNERS).scalars()) - set(heartbeat.alive(connection, workers)) - {owner}
    if not gone:
        return []
    orphans = [of_row(row) for row in connection.execute(ORPHANS, {"gone": list(gone)})]
    remember_tries(connection, orphans, "lost", None)
    ids = [row.order_id for row in orphans]
    if ids:
        mine = fulfilments.update().where(fulfilments.c.order_id.in_(ids))
        connection.execute(mine.values(owner=owner, fence=fulfilments.c.fence + 1, started_at=func.now(6)))
    return list(lock(connection, ids).values()) if ids else []


def owned(connection: Connection, owner: str) -> set[int]:
    """The orders that `owner` has to finish, whether it knows or not."""
    return set(connection.execute(OWNED, {"owner": owner}).scalars())


def still_owned(connection: Connection, owner: str, order_ids: Collection[int]) -> list[Fulfilment]:
    """Those of them that `owner` has to finish even now."""
    rows = connection.execute(OWNED_AMONG, {"owner": owner, "ids": list(order_ids)})
    return [of_row(row) for row in rows]


OWNERS = select(fulfilments.c.owner).where(fulfilments.c.state.in_(IN_WORK)).distinct()
ORPHANS = (
    select(*COLUMNS)
    .where(fulfilments.c.state.in_(IN_WORK), fulfilments.c.owner.in_(bindparam("gone", expanding=True)))
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)
)
OWNED = select(fulfilments.c.order_id).where(
    fulfilments.c.state.in_(IN_WORK), fulfilments.c.owner == bindparam("owner")
)
OWNED_AMONG = OWNED.with_only_columns(*COLUMNS).where(fulfilments.c.order_id.in_(bindparam("ids", expanding=True)))
