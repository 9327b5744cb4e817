"""One row per living worker, by the database's clock: who hasn't beaten for LEASE_SECONDS counts as gone.

A worker is a boot, not a name: its id is random, so a restarted one never takes itself for the one that died.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import CHAR, Column, Connection, MetaData, String, Table, func, select, text
from sqlalchemy.dialects.mysql import DATETIME, insert

from chassis.database.clock import is_recent
from chassis.database.transactions import Database
from chassis.problems import Unavailable

BEAT_SECONDS = 1.0
FORGET_SECONDS = 600.0
LEASE_SECONDS = 10


def workers_table(metadata: MetaData) -> Table:
    return Table(
        "workers",
        metadata,
        Column("id", CHAR(32), primary_key=True),
        Column("host", String(64), nullable=False),
        Column("started_at", DATETIME(fsp=6), nullable=False),
        Column("beat_at", DATETIME(fsp=6), nullable=False),
    )


class Heartbeat:
    """This process's own."""

    def __init__(self, database: Database, workers: Table, host: str) -> None:
        self.id = uuid.uuid4().hex
        self._database = database
        self._workers = workers
        self._host = host
        self._last = float("-inf")
        self._under_way: asyncio.Future[None] | None = None

    async def beat(self) -> None:
        started = time.monotonic()
        self._under_way = asyncio.ensure_future(self._database.run(record, self._workers, self.id, self._host))
        await asyncio.shield(self._under_way)
        self._last = started

    async def check(self) -> None:
        """Raises Unavailable unless others still take this worker for alive."""
        if time.monotonic() - self._last > LEASE_SECONDS / 2:
            raise Unavailable("the heartbeat is late")

    async def forget_dead(self) -> None:
        await self._database.run(forget_dead, self._workers)

    async def end(self) -> None:
        """Say that this worker is going, so that others take over at once. Unsaid, the lease runs out.

        A beat whose caller was cancelled goes on in its thread, and would write the row again.
        """
        if self._under_way is not None:
            await asyncio.gather(self._under_way, return_exceptions=True)
        with suppress(Unavailable):
            await self._database.run(remove, self._workers, self.id)


def record(connection: Connection, workers: Table, worker_id: str, host: str) -> None:
    now = func.now(6)
    row = insert(workers).values(id=worker_id, host=host[:64], started_at=now, beat_at=now)
    connection.execute(row.on_duplicate_key_update(beat_at=now))


def remove(connection: Connection, workers: Table, worker_id: str) -> None:
    connection.execute(workers.delete().where(workers.c.id == worker_id))


def alive(connection: Connection, workers: Table) -> Sequence[str]:
    """Ids of the workers that live."""
    return connection.execute(select(workers.c.id).where(is_recent(workers.c.beat_at, LEASE_SECONDS))).scalars().all()


def forget_dead(connection: Connection, workers: Table) -> None:
    """Rows of workers that ended long ago say nothing to anybody."""
    connection.execute(workers.delete().where(workers.c.beat_at < text("NOW(6) - INTERVAL 1 HOUR")))


def require_alive(connection: Connection, workers: Table) -> None:
    if not alive(connection, workers):
        raise Unavailable("no worker is running")
