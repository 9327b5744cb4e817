"""Announcing again what fulfilment has not answered, because Redis may lose a second, or everything.

The first reminder comes after a while, the next ones at growing distance. A fulfilment that was down for an hour finds each
order once, but for some of the last seconds: none is announced again while the group still has the last announcement ahead
of it (it is only looked at again, at growing distance too), nor, once seen so, before it has had its while from then on.
`notice_loss` makes all that wait due at once when Redis has lost its memory.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from redis import asyncio as redis
from sqlalchemy import BindParameter, Connection, bindparam, func, select, text
from sqlalchemy.dialects.mysql import DATETIME

from chassis import outbox as announcements
from chassis.clock import has_come
from chassis.database import Database
from chassis.positions import Whereabouts, has_unread, whereabouts
from chassis.problems import Conflict
from chassis.streams import available
from contracts.events import OrderCancelled, OrderPlaced
from contracts.streams import FULFILMENT, ORDERING
from ordering import cancel_order, place_orders
from ordering.model import LONGEST_WAIT_SECONDS, REMIND_AFTER_SECONDS, WAITING, State, Step, order_steps, orders, outbox
from ordering.orders import COLUMNS, Order, fetch, lock_one

log = logging.getLogger(__name__)

AT_ONCE = 500
FIRST_LOOK_SECONDS = 5
MOST_TURNS_HELD_BACK = 10


class Reminders:
    """Reminding, turn by turn."""

    def __init__(self, database: Database, client: redis.Redis) -> None:
        self._database = database
        self._client = client
        self._held_back = 0

    async def remind(self) -> bool:
        """Announce some that are overdue. True if there may be more."""
        if await self._answers_wait():
            return False
        found = [await self._remind(state) for state in WAITING]
        return max(found) == AT_ONCE

    async def _answers_wait(self) -> bool:
        """They may be the ones missed; but a reader that never catches up must not hold reminders back for ever."""
        async with available():
            waits = await has_unread(self._client, FULFILMENT.name, "ordering")
        self._held_back = self._held_back + 1 if waits and self._held_back < MOST_TURNS_HELD_BACK else 0
        return self._held_back > 0

    async def _remind(self, state: State) -> int:
        """Returns how many were due. No transaction is open while Redis is asked."""
        due = await self._database.run(overdue, state)
        if due.entries:
            entry_ids = [entry for entry in due.entries.values() if entry is not None]
            async with available():
                seen = await whereabouts(self._client, ORDERING.name, "fulfilment", entry_ids)
            where = {id_: seen[entry] if entry else Whereabouts.GONE for id_, entry in due.entries.items()}
            await self._database.run(announce_overdue, due, where)
        return len(due.entries)


class Due(NamedTuple):
    """Orders in one state that were due at `at`, each with the stream entry that announced it as it is now.

    None stands for no such entry. One still in the outbox stands in `unsent`.
    """

    state: State
    at: datetime
    entries: Mapping[int, str | None]
    unsent: frozenset[int]


def overdue(connection: Connection, state: State) -> Due:
    at = connection.execute(select(func.now(6))).scalar_one()
    found = connection.execute(OVERDUE, {"state": state, "at": at, "most": AT_ONCE})
    revisions = {row.id: row.revision for row in found}
    if not revisions:
        return Due(state, at, {}, frozenset())
    ids = list(revisions)
    # In this order: what leaves the outbox in between is then among the announcements.
    unsent = frozenset(id_ for id_, revision in connection.execute(UNSENT, {"ids": ids}) if revision == revisions[id_])
    announced = {
        (row.order_id, row.detail["revision"]): row.detail["entry"]
        for row in connection.execute(ANNOUNCEMENTS, {"ids": ids})
    }
    return Due(state, at, {id_: announced.get((id_, revision)) for id_, revision in revisions.items()}, unsent)


def announce_overdue(connection: Connection, due: Due, where: Mapping[int, Whereabouts]) -> int:
    """Announce those of `due` that are still due and not on their way. Returns how many."""
    found = fetch(connection, STILL_DUE, state=due.state, at=due.at, ids=list(due.entries))
    ahead = [order for order in found if order.id in due.unsent or where[order.id] is Whereabouts.AHEAD]
    rest = [order for order in found if order not in ahead]
    just_read = [order for order in rest if order.reminders < 0 and where[order.id] is Whereabouts.PASSED]
    unanswered = [order for order in rest if order not in just_read]
    announcements.add(connection, outbox, [_event(order) for order in unanswered])
    connection.execute(LOOK_AGAIN, {"ids": _ids(ahead)})
    connection.execute(IN_ITS_TIME, {"ids": _ids(just_read)})
    connection.execute(REMINDED, {"ids": _ids(unanswered)})
    if unanswered:
        log.warning("announced %d orders again that nobody has answered", len(unanswered))
    return len(unanswered)


def _ids(found: Iterable[Order]) -> list[int]:
    return [order.id for order in found]


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


IS_DUE = has_come(orders.c.due_at, LONGEST_WAIT_SECONDS, bindparam("at", type_=DATETIME(fsp=6)))
IDS: BindParameter[int] = bindparam("ids", expanding=True)
OVERDUE = (
    select(orders.c.id, orders.c.revision)
    .where(orders.c.state == bindparam("state"), IS_DUE)
    .order_by(orders.c.due_at)
    .limit(bindparam("most"))
)
STILL_DUE = (
    select(*COLUMNS)
    .where(orders.c.id.in_(IDS), orders.c.state == bindparam("state"), IS_DUE)
    .order_by(orders.c.id)
    .with_hint(orders, "FORCE INDEX (PRIMARY)")
    .with_for_update(skip_locked=True)
)
UNSENT = select(outbox.c.order_id, outbox.c.revision).where(outbox.c.order_id.in_(IDS))
ANNOUNCEMENTS = (  # the last of each order and revision comes last
    select(order_steps.c.order_id, order_steps.c.detail)
    .where(order_steps.c.order_id.in_(IDS), order_steps.c.step == Step.ANNOUNCED)
    .order_by(order_steps.c.id)
)
MOVED = orders.update().where(orders.c.id.in_(IDS))
LATER = text("NOW(6) + INTERVAL LEAST(:longest, :first * POW(2, ABS(reminders) - :done)) SECOND")
LOOK_AGAIN = MOVED.ordered_values(  # MySQL assigns from left to right
    (orders.c.reminders, func.least(orders.c.reminders, 0) - 1),
    (orders.c.due_at, LATER.bindparams(longest=LONGEST_WAIT_SECONDS, first=FIRST_LOOK_SECONDS, done=1)),
)
IN_ITS_TIME = MOVED.values(reminders=0, due_at=text(f"NOW(6) + INTERVAL {REMIND_AFTER_SECONDS} SECOND"))
REMINDED = MOVED.ordered_values(
    (orders.c.reminders, func.greatest(orders.c.reminders, 0) + 1),
    (orders.c.due_at, LATER.bindparams(longest=LONGEST_WAIT_SECONDS, first=REMIND_AFTER_SECONDS, done=0)),
)
