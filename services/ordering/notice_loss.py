"""Noticing that Redis has lost its memory: its run id changed, or the mark left in it is gone.

Then everything in the outbox is due: what waits for an answer is announced again. There may be very much of it, so that is
first noted down and then done in steps, each a commit of its own, by whichever worker comes next.
"""

import logging
import uuid
from dataclasses import dataclass

from redis import asyncio as redis
from sqlalchemy import Connection, select
from sqlalchemy.dialects.mysql import insert

from chassis.database.transactions import Database
from chassis.messaging.streams import available
from ordering.model import outbox, redis_marks

log = logging.getLogger(__name__)

AT_ONCE = 1000
MARK = "ordering:mark"


@dataclass(frozen=True)
class Memory:
    """By what Redis shows that it is the same server with the same data: its run id, and a mark left in it."""

    run_id: str
    mark: str


async def notice_loss(database: Database, client: redis.Redis) -> bool:
    """When Redis may have forgotten something, make all that waits for an answer due. True if there may be more."""
    async with available():
        run_id = (await client.info("server"))["run_id"]
        mark = await client.get(MARK) or b""
    before = await database.run(remembered)
    if before != Memory(run_id, mark.decode() if isinstance(mark, bytes) else mark):
        fresh = Memory(run_id, uuid.uuid4().hex)
        await database.run(begin_anew, fresh)
        async with available():
            await client.set(MARK, fresh.mark)
        if before is not None:
            log.warning("Redis was started anew or emptied; looking after all orders that wait for an answer")
    return await database.run(make_due, AT_ONCE) == AT_ONCE


def remembered(connection: Connection) -> Memory | None:
    row = connection.execute(select(redis_marks.c.run_id, redis_marks.c.mark)).one_or_none()
    return Memory(row.run_id, row.mark) if row else None


def begin_anew(connection: Connection, memory: Memory) -> None:
    """Remember Redis as it is now, and that nothing has been made due since."""
    seen = {"run_id": memory.run_id, "mark": memory.mark, "made_due_up_to": 0}
    connection.execute(insert(redis_marks).values(id=1, **seen).on_duplicate_key_update(**seen))


def make_due(connection: Connection, most: int) -> int:
    """Go one step on with what a loss has begun. Returns how many batches are due now: fewer than `most` at the end."""
    row = connection.execute(select(redis_marks.c.made_due_up_to).with_for_update()).one_or_none()
    if row is None or row.made_due_up_to is None:
        return 0
    ids = outbox.begin_anew(connection, row.made_due_up_to, most)
    connection.execute(redis_marks.update().values(made_due_up_to=ids[-1] if len(ids) == most else None))
    return len(ids)
