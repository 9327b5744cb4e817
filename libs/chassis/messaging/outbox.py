"""The outbox: what a commit decides is told by a row of the same commit, a batch of events; a relay sends it later.

A batch is due until it is done with: at once when it is new, then at growing distance. Being sent puts the next time off, which
is the relay's claim as well: one that dies on the way leaves a batch that is due again soon. Rows are found by `due_at`, not by
`id > last`: auto-increment ids commit out of order, and a reader that has passed id 2 would never see id 1.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
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
    """`payload` is what goes onto the stream, `sent` how often it may have gone there already."""

    id: int
    payload: bytes
    sent: int


Unanswered = Callable[[Connection, Sequence[Batch]], Mapping[int, bytes]]


def outbox_table(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("payload", LargeBinary(2**24 - 1), nullable=False),
        Column("sent", Integer, nullable=False, server_default="0"),
        Column("due_at", DATETIME(fsp=6), nullable=False, server_default=text("CURRENT_TIMESTAMP(6)")),
        Index("by_due", "due_at"),
    )


class Announceable(Protocol):
    def model_dump_json(self) -> str: ...


def add(connection: Connection, outbox: Table, events: Sequence[Announceable]) -> None:
    """Announce `events` with the commit of this transaction: as one batch, unless that grew above MOST_EVENTS or MOST_BYTES."""
    for events_of_one in _split([event.model_dump_json().encode() for event in events]):
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


def claim(connection: Connection, outbox: Table, most: int, unanswered: Unanswered | None = None) -> list[Batch]:
    """Up to `most` batches that are due; no other relay gets them until they are due again.

    `unanswered` says what is left of batches that were sent before: what is not in it is answered whole, and removed.
    """
    due = select(*(outbox.c[name] for name in Batch._fields)).where(has_come(outbox.c.due_at, LONGEST_DISTANCE_SECONDS))
    rows = connection.execute(due.order_by(outbox.c.due_at).limit(most).with_for_update(skip_locked=True))
    batches = [Batch(*row) for row in rows]
    if unanswered is not None:
        batches = _what_is_left(connection, outbox, batches, unanswered)
    if batches:
        connection.execute(_put_off(outbox), {"ids": [batch.id for batch in batches]})
    return batches


def _what_is_left(connection: Connection, outbox: Table, batches: list[Batch], unanswered: Unanswered) -> list[Batch]:
    again = [batch for batch in batches if batch.sent]
    if not again:
        return batches
    left = unanswered(connection, again)
    done = [batch.id for batch in again if batch.id not in left]
    if done:
        remove(connection, outbox, done)
    for batch in again:
        if batch.id in left and left[batch.id] != batch.payload:
            smaller = outbox.update().where(outbox.c.id == batch.id).values(payload=left[batch.id])
            connection.execute(smaller)
    return [batch._replace(payload=left.get(batch.id, batch.payload)) for batch in batches if batch.id not in done]


def _put_off(outbox: Table) -> Update:
    distance = text(f"NOW(6) + INTERVAL LEAST({LONGEST_DISTANCE_SECONDS}, {AGAIN_AFTER_SECONDS} * POW(2, sent)) SECOND")
    mine = outbox.update().where(outbox.c.id.in_(bindparam("ids", expanding=True)))
    return mine.ordered_values((outbox.c.due_at, distance), (outbox.c.sent, outbox.c.sent + 1))  # from left to right


def put_due(connection: Connection, outbox: Table, after: int, most: int, *, seconds: int, sent: int) -> Sequence[int]:
    """The next batches by id that were sent at least `sent` times: due in `seconds`, as if sent so often. Returns their ids."""
    next_ = select(outbox.c.id).where(outbox.c.id > after, outbox.c.sent >= sent).order_by(outbox.c.id).limit(most)
    ids = connection.execute(next_).scalars().all()
    if ids:
        at = text("NOW(6) + INTERVAL :seconds SECOND").bindparams(seconds=seconds)
        connection.execute(outbox.update().where(outbox.c.id.in_(ids)).values(due_at=at, sent=sent))
    return ids


def remove(connection: Connection, outbox: Table, ids: Sequence[int]) -> int:
    """They are done with. Returns how many were still there."""
    mine = outbox.c.id.in_(bindparam("ids", expanding=True))
    return connection.execute(outbox.delete().where(mine), {"ids": list(ids)}).rowcount
