"""Announcing again what fulfilment has not answered, because Redis may lose a second, or everything.

A batch of the outbox stays until all of its orders are answered. When it is due again, what is left of it goes out again, at
growing distance. `notice_loss` makes the whole outbox due when Redis has lost its memory.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, select

from chassis.messaging import outbox as announcements
from chassis.messaging.outbox import Batch
from chassis.problems import Conflict
from contracts.batches import names, seal, unseal
from contracts.events import OrderCancelled, OrderPlaced
from ordering import cancel_order, place_orders
from ordering.model import WAITING, State, orders, outbox
from ordering.orders import Order, lock_one


def unanswered(connection: Connection, batches: Sequence[Batch]) -> Mapping[int, bytes]:
    """Of each batch, by its id, the events whose orders still wait as they say; a batch without any is left out."""
    told = {batch.id: names(batch.payload) for batch in batches}
    ids = {order_id for events in told.values() for order_id, _ in events}
    waiting = {(row.id, row.revision) for row in connection.execute(WAITING_AMONG, {"ids": list(ids)})}
    left = {}
    for batch in batches:
        missing = [event in waiting for event in told[batch.id]]
        if all(missing):
            left[batch.id] = batch.payload
        elif any(missing):
            events = zip(unseal(batch.payload), missing, strict=True)
            left[batch.id] = seal(event for event, is_missing in events if is_missing)
    return left


WAITING_AMONG = select(orders.c.id, orders.c.revision).where(
    orders.c.id.in_(bindparam("ids", expanding=True)), orders.c.state.in_(WAITING)
)


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
