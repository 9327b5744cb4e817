"""The outbox: what a commit decides is told by a row of the same commit, a batch of events; a relay sends it later.

A batch that is new is sent at once. Being sent makes it due again, at growing distance, until it is done with: that is the
relay's claim as well, so one that dies on the way leaves a batch that soon comes again. Batches are found by how often they
were sent, not by `id > last`: auto-increment ids commit out of order, and who has passed id 2 would never see id 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Update,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME

from chassis.database.clock import has_come
from contracts.batches import seal

MOST_EVENTS = 500
MOST_BYTES = 2**18
AGAIN_AFTER_SECONDS = 15  # a step takes 5
LONGEST_DISTANCE_SECONDS = 300
INSERT = "INSERT INTO outbox (payload) VALUES (%(payload)s)"  # for every commit: with nothing to compile


class Batch(NamedTuple):
    """`payload` is what goes onto the stream."""

    id: int
    payload: bytes


class Outbox:
    """The table of a service, and all that is done with it."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "outbox",
            metadata,
            Column("id", BigInteger, primary_key=True, autoincrement=True),
            Column("payload", LargeBinary(2**24 - 1), nullable=False),
            Column("sent", Integer, nullable=False, server_default="0"),
            Column("due_at", DATETIME(fsp=6), nullable=False, server_default=text("CURRENT_TIMESTAMP(6)")),
            Index("by_due", "sent", "due_at"),
        )

    def add(self, connection: Connection, events: Sequence[Mapping[str, Any]]) -> None:
        """Announce `events` with the commit of this transaction.

        As one batch, unless that grew above MOST_EVENTS or MOST_BYTES.
        """
        for events_of_one in _split([orjson.dumps(event, option=orjson.OPT_UTC_Z) for event in events]):
            connection.exec_driver_sql(INSERT, {"payload": seal(events_of_one)})

    def claim_new(self, connection: Connection, most: int) -> list[Batch]:
        """Up to `most` batches that were never sent; no other relay gets them until they are due again."""
        return self._claim(connection, self.table.c.sent == 0, most)

    def claim_due(self, connection: Connection, most: int) -> list[Batch]:
        """Up to `most` batches that are due again, likewise."""
        is_due = has_come(self.table.c.due_at, LONGEST_DISTANCE_SECONDS)
        return self._claim(connection, (self.table.c.sent > 0) & is_due, most)

    def _claim(self, connection: Connection, which: ColumnElement[bool], most: int) -> list[Batch]:
        found = select(self.table.c.id, self.table.c.payload).where(which).limit(most)
        batches = [Batch(*row) for row in connection.execute(found.with_for_update(skip_locked=True))]
        if batches:
            connection.execute(self._put_off(), {"ids": [batch.id for batch in batches]})
        return sorted(batches)

    def _put_off(self) -> Update:
        """Twice by AGAIN_AFTER_SECONDS, since what was lost may be lost again, then by twice as long each time."""
        seconds = f"LEAST({LONGEST_DISTANCE_SECONDS}, {AGAIN_AFTER_SECONDS} * POW(2, GREATEST(sent - 1, 0)))"
        due_at, sent = self.table.c.due_at, self.table.c.sent
        mine = self.table.update().where(self.table.c.id.in_(bindparam("ids", expanding=True)))
        # From left to right, as MySQL assigns.
        return mine.ordered_values((due_at, text(f"NOW(6) + INTERVAL {seconds} SECOND")), (sent, sent + 1))

    def begin_anew(self, connection: Connection, after: int, most: int) -> Sequence[int]:
        """Let the next `most` batches above the id `after` be new again. Returns their ids."""
        id_ = self.table.c.id
        ids = connection.execute(select(id_).where(id_ > after).order_by(id_).limit(most)).scalars().all()
        if ids:
            connection.execute(self.table.update().where(id_.in_(ids)).values(sent=0))
        return ids

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        """They are done with."""
        mine = self.table.c.id.in_(bindparam("ids", expanding=True))
        connection.execute(self.table.delete().where(mine), {"ids": list(ids)})


def _split(events: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in events:
        if batch and (len(batch) == MOST_EVENTS or size + len(event) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event)
    if batch:
        yield batch
