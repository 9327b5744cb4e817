"""Giving a failed order another chance, which a person decides."""

from sqlalchemy import Connection

from chassis.problems import Conflict
from chassis.web.access import Caller
from ordering.model import Cause, State, Step, outbox
from ordering.orders import Order, begin_revision, lock_one
from ordering.place_orders import announcement


def redrive(connection: Connection, order_id: int, caller: Caller) -> Order:
    """failed → placed under the next revision, announced in the same commit. Repeating it changes nothing."""
    order = lock_one(connection, order_id, caller)
    if order.state is State.PLACED:
        return order
    placed = begin_revision(connection, order, Cause.REDRIVE, Step.REDRIVEN, caller)
    if placed is None:
        raise Conflict(f"The order is {order.state}; only a failed one can be redriven", order_id=order_id)
    outbox.add(connection, [announcement(placed)])
    return placed
