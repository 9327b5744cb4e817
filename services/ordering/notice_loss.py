"""Noticing that Redis has lost its memory: its run id changed, or the mark left in it is gone.

Then all orders that wait for fulfilment's answer are due to be looked after. There may be millions, so that is first noted
down and then done in steps, each a commit of its own, by whichever worker comes next.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from redis import asyncio as redis
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects.mysql import insert

from chassis.database import Database
from chassis.paging import page_of
from chassis.streams import available
from ordering.model import WAITING, orders, redis_marks

log = logging.getLogger(__name__)

AT_ONCE = 1000
MARK = "ordering:mark"


@dataclass(frozen=True)
class Memory:
    """By what Redis shows that it is the same server with the same data: its run id, and a mark left in it."""

    run_id: str
    mark: str


async def notice_loss(database: Database, client: redis.Redis) -> bool:
    """When Redis may have forgotten something, make all that wait for an answer due. True if there may be more of them."""
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
    """Remember Redis as it is now, and that no order has been looked after since."""
    seen = {"run_id": memory.run_id, "mark": memory.mark, "made_due_up_to": 0}
    connection.execute(insert(redis_marks).values(id=1, **seen).on_duplicate_key_update(**seen))


def make_due(connection: Connection, most: int) -> int:
    """Go one step on with what a loss has begun. Returns how many orders are due now: fewer than `most` at the end."""
    row = connection.execute(select(redis_marks.c.made_due_up_to).with_for_update()).one_or_none()
    if row is None or row.made_due_up_to is None:
        return 0
    ids = _waiting_ids(connection, row.made_due_up_to, most)
    connection.execute(MAKE_DUE, {"ids": ids})
    connection.execute(redis_marks.update().values(made_due_up_to=ids[-1] if len(ids) == most else None))
    return len(ids)


def _waiting_ids(connection: Connection, after: int, most: int) -> Sequence[int]:
    found: list[int] = []
    for state in WAITING:
        page = page_of(select(orders.c.id), orders.c.state, state, orders.c.id, after=after, newest_first=False)
        found += connection.execute(page.limit(most)).scalars()
    return sorted(found)[:most]


MAKE_DUE = (
    orders.update()
    .where(orders.c.id.in_(bindparam("ids", expanding=True)), orders.c.state.in_(WAITING))
    .values(due_at=func.now(6), reminders=0)
)
