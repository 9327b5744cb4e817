"""Giving back the stock of cancelled orders, until catalog has confirmed it.

Not in the handler of the event that cancels: a slow catalog would hold up every other outcome.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from chassis.database.rows import insert
from chassis.database.transactions import Database
from ordering.catalog_client import CatalogClient, UnexpectedAnswer
from ordering.model import TRANSITIONS, Cause, State, Step, order_steps, orders
from ordering.orders import lock
from ordering.resume_orders import AT_ONCE, claim_overdue

log = logging.getLogger(__name__)


async def release(database: Database, catalog: CatalogClient) -> bool:
    """Release what is due; what isn't confirmed is due again soon. True if there may be more."""
    due = await database.run(claim_overdue, State.RELEASING)
    if due:
        asked = [order.id for order in due]
        try:
            confirmed = await catalog.release(asked)
        except UnexpectedAnswer:
            log.exception("the stock of %d cancelled orders is not released", len(asked))
            return False
        if unknown := set(asked) - set(confirmed):
            log.error("catalog knows no reservation of the cancelled orders %s", sorted(unknown))
        await database.run(released, confirmed)
    return len(due) == AT_ONCE


def released(connection: Connection, order_ids: Sequence[int]) -> None:
    """releasing → cancelled, for those not there yet."""
    found = lock(connection, order_ids).values()
    ids = [order.id for order in found if (order.state, Cause.RELEASED) in TRANSITIONS]
    if ids:
        connection.execute(orders.update().where(orders.c.id.in_(ids)).values(state=State.CANCELLED, due_at=None))
        steps = [{"order_id": id_, "step": Step.STOCK_RETURNED, "detail": {}} for id_ in ids]
        insert(connection, order_steps, steps, at="NOW(6)")
