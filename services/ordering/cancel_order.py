"""Asking to cancel. Whether it comes in time is fulfilment's to decide, so the answer is a wish noted, not a fact."""

from http import HTTPStatus
from typing import ClassVar

from sqlalchemy import Connection

from chassis.problems import RETRY_AFTER_SECONDS, Conflict
from chassis.web.access import Caller
from contracts.events import OrderCancelled
from ordering.model import Cause, State, Step, outbox
from ordering.orders import Order, begin_revision, lock_one

ALREADY = frozenset({State.CANCELLING, State.RELEASING, State.CANCELLED})


class StillPending(Conflict):
    """409 that passes: once placing has ended, ask again."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class StillCancelling(Conflict):
    """409 that passes: force adds nothing if the cancel under way succeeds, and is asked for again if it doesn't."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class TooLate(Conflict):
    """409 for good."""


def cancel(connection: Connection, order_id: int, caller: Caller, *, forced: bool = False) -> Order:
    """placed | failed → cancelling, announced in the same commit. Repeating it gives the order as it is.

    An order that failed after it may have been shipped is cancelled by force only, and otherwise fails again.
    """
    order = lock_one(connection, order_id, caller)
    if order.state in ALREADY:
        if forced and order.state is State.CANCELLING and not order.cancel_forced:
            raise StillCancelling("A cancel without force is under way", order_id=order_id, state=order.state)
        return order
    if order.state is State.PENDING:
        raise StillPending("The order is still being placed", order_id=order_id, state=order.state)
    cancelling = begin_revision(connection, order, Cause.CANCEL, Step.CANCEL_REQUESTED, caller, forced=forced)
    if cancelling is None:
        raise TooLate(f"The order is {order.state} and can't be cancelled", order_id=order_id, state=order.state)
    outbox.add(connection, [announcement(cancelling)])
    return cancelling


def announcement(order: Order) -> OrderCancelled:
    event: OrderCancelled = {
        "type": "OrderCancelled",
        "version": 1,
        "order_id": order.id,
        "revision": order.revision,
        "forced": order.cancel_forced,
    }
    if order.request_id is not None:
        event["request_id"] = order.request_id
    return event


def status_of(order: Order) -> int:
    return HTTPStatus.OK if order.state is State.CANCELLED else HTTPStatus.ACCEPTED
