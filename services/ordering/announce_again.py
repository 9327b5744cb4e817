"""Announcing again what fulfilment has not answered, because Redis may lose a second, or everything.

The first reminder comes after a while, the next ones at growing distance. A fulfilment that was down for an hour finds each
order once, but for some of the last seconds: none is announced again while the group still has the last announcement ahead
of it, nor, once seen so, before it has had its while from then on, nor while answers wait to be read here. When Redis has
visibly lost its memory (its run id changed, or the mark left in it is gone) all that wait for an answer are due at once.
"""

import logging
import uuid
from dataclasses import dataclass

from redis import asyncio as redis
from sqlalchemy import BindParameter, Connection, bindparam, func, select, text
from sqlalchemy.dialects.mysql import insert

from chassis import outbox as announcements
from chassis.database import Database
from chassis.positions import Position, has_unread, position
from chassis.problems import Conflict
from chassis.streams import available
from contracts.events import OrderCancelled, OrderPlaced
from contracts.streams import FULFILMENT, ORDERING
from ordering import cancel_order, place_orders
from ordering.model import REMIND_AFTER_SECONDS, UNREAD, State, Step, order_steps, orders, outbox, redis_marks
from ordering.orders import COLUMNS, Order, fetch, lock_one

log = logging.getLogger(__name__)

AT_ONCE = 500
LONGEST_DISTANCE_SECONDS = 300
STILL_AHEAD_SECONDS = 5
MARK = "ordering:mark"

WAITING = (State.PLACED, State.CANCELLING)


async def remind(database: Database, client: redis.Redis) -> bool:
    """Announce some that are overdue. True if there may be more."""
    async with available():
        if await has_unread(client, FULFILMENT.name, "ordering"):
            return False
        group = await position(client, ORDERING.name, "fulfilment")
    return await database.run(announce_overdue, group) == AT_ONCE


def announce_overdue(connection: Connection, group: Position) -> int:
    """Returns how many were due, whether they had to be announced or not."""
    overdue = fetch(connection, OVERDUE)
    ids = [order.id for order in overdue]
    if not ids:
        return 0
    unsent = set(connection.execute(UNSENT, {"ids": ids}).scalars())
    entries = {row.order_id: row.detail["entry"] for row in connection.execute(ANNOUNCEMENTS, {"ids": ids})}
    ahead = unsent | {id_ for id_ in ids if id_ in entries and group.is_ahead(entries[id_])}
    just_read = {
        order.id for order in overdue if order.reminders == UNREAD and group.has_passed(entries.get(order.id, "0-0"))
    } - ahead
    unanswered = [order for order in overdue if order.id not in ahead | just_read]
    announcements.add(connection, outbox, [_event(order) for order in unanswered])
    connection.execute(LATER, {"ids": list(ahead)})
    connection.execute(IN_ITS_TIME, {"ids": list(just_read)})
    connection.execute(REMINDED, {"ids": [order.id for order in unanswered]})
    if unanswered:
        log.warning("announced %d orders again that nobody has answered", len(unanswered))
    return len(ids)


def announce(connection: Connection, order_id: int) -> Order:
    """Announce one that waits for an answer, because a person asks for it."""
    order = lock_one(connection, order_id)
    if order.state not in WAITING:
        raise Conflict(f"The order is {order.state} and waits for no answer", order_id=order_id)
    announcements.add(connection, outbox, [_event(order)])
    return order


def _event(order: Order) -> OrderPlaced | OrderCancelled:
    if order.state is State.CANCELLING:
        return cancel_order.announcement(order)
    return place_orders.announcement(order)


IDS: BindParameter[int] = bindparam("ids", expanding=True)
OVERDUE = (
    select(*COLUMNS)
    .where(orders.c.due_at < text("NOW(6)"), orders.c.state.in_(WAITING))
    .order_by(orders.c.due_at)
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)
)
UNSENT = select(outbox.c.order_id).where(outbox.c.order_id.in_(IDS)).distinct()
ANNOUNCEMENTS = (  # the last of each order comes last
    select(order_steps.c.order_id, order_steps.c.detail)
    .where(order_steps.c.order_id.in_(IDS), order_steps.c.step == Step.ANNOUNCED)
    .order_by(order_steps.c.id)
)
MOVED = orders.update().where(orders.c.id.in_(IDS))
LATER = MOVED.values(reminders=UNREAD, due_at=text(f"NOW(6) + INTERVAL {STILL_AHEAD_SECONDS} SECOND"))
IN_ITS_TIME = MOVED.values(reminders=0, due_at=text(f"NOW(6) + INTERVAL {REMIND_AFTER_SECONDS} SECOND"))
REMINDED = MOVED.ordered_values(  # MySQL assigns from left to right
    (orders.c.reminders, func.greatest(orders.c.reminders, 0) + 1),
    (
        orders.c.due_at,
        text("NOW(6) + INTERVAL LEAST(:longest, :first * POW(2, reminders)) SECOND").bindparams(
            longest=LONGEST_DISTANCE_SECONDS, first=REMIND_AFTER_SECONDS
        ),
    ),
)


@dataclass(frozen=True)
class Memory:
    """By what Redis shows that it is the same server with the same data: its run id, and a mark left in it."""

    run_id: str
    mark: str


async def notice_loss(database: Database, client: redis.Redis) -> None:
    """When Redis may have forgotten something, make all that wait for an answer due at once."""
    async with available():
        run_id = (await client.info("server"))["run_id"]
        mark = await client.get(MARK) or b""
    now = Memory(run_id, mark.decode() if isinstance(mark, bytes) else mark)
    before = await database.run(remembered)
    if before != now:
        fresh = Memory(run_id, uuid.uuid4().hex)
        waiting = await database.run(begin_anew, fresh)
        async with available():
            await client.set(MARK, fresh.mark)
        if before is not None:
            log.warning("Redis was started anew or emptied; looking after %d orders that wait for an answer", waiting)


def remembered(connection: Connection) -> Memory | None:
    row = connection.execute(select(redis_marks.c.run_id, redis_marks.c.mark)).one_or_none()
    return Memory(row.run_id, row.mark) if row else None


def begin_anew(connection: Connection, memory: Memory) -> int:
    """Returns how many orders are due now."""
    row = insert(redis_marks).values(id=1, run_id=memory.run_id, mark=memory.mark)
    connection.execute(row.on_duplicate_key_update(run_id=memory.run_id, mark=memory.mark))
    due = orders.update().where(orders.c.state.in_(WAITING))
    return connection.execute(due.values(due_at=func.now(6), reminders=0)).rowcount
