"""What fulfilment's outcomes do to an order, whichever they are: lock, compare, move, remember."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, text

from chassis.rows import insert
from contracts.events import Outcome
from ordering.model import TRANSITIONS, Cause, State, Step, order_steps, orders
from ordering.orders import lock

log = logging.getLogger(__name__)


class UnknownOrder(Exception):
    """Orders commit before their events, so an event about none of ours is a dead letter."""


def move(connection: Connection, events: Sequence[Outcome], cause: Cause, *, due: str = "NULL") -> None:
    """Move the orders these events are news for. `due` is when to look after them, in SQL."""
    if not events:
        return
    found = lock(connection, (event.order_id for event in events))
    news: dict[int, tuple[Outcome, State]] = {}
    for event in events:
        order = found.get(event.order_id)
        if order is None:
            raise UnknownOrder(f"there is no order {event.order_id}")
        target = TRANSITIONS.get((order.state, cause))
        if target is None or event.revision != order.revision:
            log.info("order %d is %s: %s of revision %d says nothing new", order.id, order.state, cause, event.revision)
            continue
        news[order.id] = (event, target)
    _write(connection, news, due)


def _write(connection: Connection, news: Mapping[int, tuple[Outcome, State]], due: str) -> None:
    for target in {target for _, target in news.values()}:
        ids = [order_id for order_id, (_, to) in news.items() if to is target]
        moved = orders.update().where(orders.c.id.in_(bindparam("ids", expanding=True)))
        connection.execute(moved.values(state=target, due_at=text(due), reminders=0), {"ids": ids})
    insert(connection, order_steps, [_step(event, target) for event, target in news.values()])


def _step(event: Outcome, target: State) -> dict[str, Any]:
    """One row for all that fulfilment tells. When it happened is for fulfilment to say; here it is only kept."""
    told = event.model_dump(mode="json", include={"taken_at", "tries"})
    return {"order_id": event.order_id, "step": STEP_OF[target], "at": event.decided_at, "detail": told}


STEP_OF = {State.FULFILLED: Step.FULFILLED, State.FAILED: Step.FAILED, State.RELEASING: Step.CANCEL_ACCEPTED}
