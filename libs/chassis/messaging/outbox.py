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


class Batch(NamedTuple):
    """`payload` is what goes onto the stream."""

    id: int
    payload: bytes


def outbox_table(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("payload", LargeBinary(2**24 - 1), nullable=False),
        Column("sent", Integer, nullable=False, server_default="0"),
        Column("due_at", DATETIME(fsp=6), nullable=False, server_default=text("CURRENT_TIMESTAMP(6)")),
        Index("by_due", "sent", "due_at"),
    )


def add(connection: Connection, outbox: Table, events: Sequence[Mapping[str, Any]]) -> None:
    """Announce `events` with the commit of this transaction: as one batch, unless that grew above MOST_EVENTS or MOST_BYTES."""
    for events_of_one in _split([orjson.dumps(event, option=orjson.OPT_UTC_Z) for event in events]):
        connection.execute(outbox.insert().values(payload=seal(events_of_one)))


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


def claim_new(connection: Connection, outbox: Table, most: int) -> list[Batch]:
    """Up to `most` batches that were never sent; no other relay gets them until they are due again."""
    return _claim(connection, outbox, outbox.c.sent == 0, most)


def claim_due(connection: Connection, outbox: Table, most: int) -> list[Batch]:
    """Up to `most` batches that are due again, likewise."""
    return _claim(connection, outbox, (outbox.c.sent > 0) & has_come(outbox.c.due_at, LONGEST_DISTANCE_SECONDS), most)


def _claim(connection: Connection, outbox: Table, which: ColumnElement[bool], most: int) -> list[Batch]:
    rows = connection.execute(
        select(outbox.c.id, outbox.c.payload).where(which).limit(most).with_for_update(skip_locked=True)
    )
    batches = [Batch(*row) for row in rows]
    if batches:
        connection.execute(_put_off(outbox), {"ids": [batch.id for batch in batches]})
    return sorted(batches)


def _put_off(outbox: Table) -> Update:
    """Twice by AGAIN_AFTER_SECONDS, since what was lost may be lost again, then by twice as long each time."""
    distance = text(
        f"NOW(6) + INTERVAL LEAST({LONGEST_DISTANCE_SECONDS}, {AGAIN_AFTER_SECONDS} * POW(2, GREATEST(sent - 1, 0))) SECOND"
    )
    mine = outbox.update().where(outbox.c.id.in_(bindparam("ids", expanding=True)))
    return mine.ordered_values((outbox.c.due_at, distance), (outbox.c.sent, outbox.c.sent + 1))  # from left to right


def begin_anew(connection: Connection, outbox: Table, after: int, most: int) -> Sequence[int]:
    """Let the next `most` batches above the id `after` be new again. Returns their ids."""
    next_ = select(outbox.c.id).where(outbox.c.id > after).order_by(outbox.c.id).limit(most)
    ids = connection.execute(next_).scalars().all()
    if ids:
        connection.execute(outbox.update().where(outbox.c.id.in_(ids)).values(sent=0))
    return ids


def remove(connection: Connection, outbox: Table, ids: Sequence[int]) -> int:
    """They are done with. Returns how many were still there."""
    mine = outbox.c.id.in_(bindparam("ids", expanding=True))
    return connection.execute(outbox.delete().where(mine), {"ids": list(ids)}).rowcount
