"""Finishing placements that nobody finishes: their process died, or their client gave up. Forwards only."""

import asyncio
import logging

from sqlalchemy import Connection, bindparam, func, select, text

from chassis.database.clock import has_come
from chassis.database.transactions import Database
from chassis.process.logs import about
from ordering.model import State, orders
from ordering.orders import AN_ORDER, Order, fetch
from ordering.place_orders import Stages, settle

log = logging.getLogger(__name__)

AT_ONCE = 200
TRY_FOR_SECONDS = 5.0
RESUME_AFTER_SECONDS = 10  # longer than a placement's budget, so that nobody helps where nobody is missing
LOOK_AGAIN_SECONDS = 6


async def resume(database: Database, stages: Stages) -> bool:
    """Settle some orders that are overdue. True if there may be more."""
    overdue = await database.run(claim_overdue, State.PENDING)
    if overdue:
        log.warning("finishing %d orders left in doubt", len(overdue))
        await asyncio.gather(*(_settle(order, stages) for order in overdue))
    return len(overdue) == AT_ONCE


async def _settle(order: Order, stages: Stages) -> None:
    until = asyncio.get_running_loop().time() + TRY_FOR_SECONDS
    try:
        async with asyncio.timeout_at(until):
            settled = await settle(order, stages, until)
        log.info("order %d was in doubt and is %s", order.id, settled.state, extra=about(order.id, order.request_id))
    except TimeoutError:
        log.warning("order %d stays in doubt", order.id, extra=about(order.id, order.request_id))


def claim_overdue(connection: Connection, state: State) -> list[Order]:
    """Orders in `state` that are due; nobody else gets them for LOOK_AGAIN_SECONDS."""
    found = fetch(connection, OVERDUE, state=state)
    if found:
        connection.execute(LOOK_AGAIN, {"ids": [order.id for order in found]})
    return found


DUE_AT = func.coalesce(orders.c.due_at, orders.c.created_at + text(f"INTERVAL {RESUME_AFTER_SECONDS} SECOND"))
OVERDUE = (
    select(AN_ORDER)
    .where(orders.c.state == bindparam("state"), has_come(DUE_AT, RESUME_AFTER_SECONDS))
    .with_hint(orders, "FORCE INDEX (by_state)")
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)
)
LOOK_AGAIN = (
    orders.update()
    .where(orders.c.id.in_(bindparam("ids", expanding=True)))
    .values(due_at=text(f"NOW(6) + INTERVAL {LOOK_AGAIN_SECONDS} SECOND"))
)
