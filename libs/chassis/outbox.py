"""The outbox: events are rows of the same commit as the state they announce; a relay sends them later.

Rows are claimed for a while, not read by `id > last`: auto-increment ids commit out of order, and a reader that has passed
id 2 would never see id 1. A relay that dies leaves its claim behind, and the claim runs out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME

from chassis.clock import has_come
from chassis.rows import insert

CLAIM_SECONDS = 10


@dataclass(frozen=True)
class Unsent:
    id: int
    order_id: int
    revision: int
    type: str
    payload: bytes


def outbox_table(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("order_id", BigInteger, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("type", String(64), nullable=False),
        Column("payload", LargeBinary(2**16), nullable=False),
        Column("claimed_until", DATETIME(fsp=6)),
    )


class Announceable(Protocol):
    @property
    def order_id(self) -> int: ...

    @property
    def revision(self) -> int: ...

    def model_dump_json(self) -> str: ...


def add(connection: Connection, outbox: Table, events: Sequence[Announceable]) -> None:
    """Announce `events` with the commit of this transaction."""
    rows = [
        {
            "order_id": event.order_id,
            "revision": event.revision,
            "type": type(event).__name__,
            "payload": event.model_dump_json().encode(),
        }
        for event in events
    ]
    insert(connection, outbox, rows)


def claim(connection: Connection, outbox: Table, most: int) -> list[Unsent]:
    """Take up to `most` rows that nobody is sending; they are this relay's for CLAIM_SECONDS."""
    free = or_(outbox.c.claimed_until.is_(None), has_come(outbox.c.claimed_until, CLAIM_SECONDS))
    columns = [outbox.c[field.name] for field in fields(Unsent)]
    wanted = select(*columns).where(free).order_by(outbox.c.id).limit(most).with_for_update(skip_locked=True)
    rows = connection.execute(wanted).all()
    if rows:
        until = text(f"NOW(6) + INTERVAL {CLAIM_SECONDS} SECOND")
        mine = outbox.c.id.in_(bindparam("ids", expanding=True))
        connection.execute(outbox.update().where(mine).values(claimed_until=until), {"ids": [row.id for row in rows]})
    return [Unsent(*row) for row in rows]


def remove(connection: Connection, outbox: Table, ids: Sequence[int]) -> int:
    """Redis has answered for these. Returns how many were still there."""
    mine = outbox.c.id.in_(bindparam("ids", expanding=True))
    return connection.execute(outbox.delete().where(mine), {"ids": list(ids)}).rowcount
