"""Announcing again what fulfilment has not answered, because Redis may lose a second, or everything.

A batch of the outbox stays until all of its orders are answered, and goes out again whenever it is due. `notice_loss` makes
the whole outbox new again when Redis has lost its memory.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, bindparam, text

from chassis.messaging.outbox import Batch
from chassis.problems import Conflict
from chassis.web.access import Caller
from contracts.batches import names
from contracts.events import OrderCancelled, OrderPlaced
from ordering import cancel_order, place_orders
from ordering.model import WAITING, State, outbox
from ordering.orders import Order, lock_one


def answered(connection: Connection, batches: Sequence[Batch]) -> list[int]:
    """The ids of batches none of whose orders still waits as its event says. One begun anew since has a batch of its own."""
    told = {batch.id: names(batch.payload) for batch in batches}
    ids = {order_id for events in told.values() for order_id, _ in events}
    waiting = {
        (row.id, row.revision) for row in connection.execute(WAITING_AMONG, {"ids": orjson.dumps(list(ids)).decode()})
    }
    return [batch_id for batch_id, events in told.items() if waiting.isdisjoint(events)]


WAITING_AMONG = text(
    "SELECT orders.id, orders.revision FROM JSON_TABLE(:ids, '$[*]' COLUMNS (id BIGINT PATH '$')) AS told "
    "STRAIGHT_JOIN orders FORCE INDEX (PRIMARY) ON orders.id = told.id WHERE orders.state IN :waiting"
).bindparams(bindparam("waiting", list(WAITING), expanding=True))


def announce(connection: Connection, order_id: int, caller: Caller) -> Order:
    """Announce one that waits for an answer, because a person asks for it."""
    order = lock_one(connection, order_id, caller)
    if order.state not in WAITING:
        raise Conflict(f"The order is {order.state} and waits for no answer", order_id=order_id)
    outbox.add(connection, [_event(order)])
    return order


def _event(order: Order) -> OrderPlaced | OrderCancelled:
    if order.state is State.CANCELLING:
        return cancel_order.announcement(order)
    return place_orders.announcement(order)
