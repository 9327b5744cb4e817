"""What fulfilment's outcomes do to an order, whichever they are: lock, compare, move, remember."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from contracts.events import Outcome
from ordering.model import TRANSITIONS, Cause, State, Step, order_steps, orders
from ordering.orders import Order, lock

log = logging.getLogger(__name__)


class UnknownOrder(Exception):
    """Orders commit before their events, so an event about none of ours is a dead letter."""


def move(connection: Connection, events: Sequence[Outcome], cause: Cause, *, due: str = "NULL") -> list[Order]:
    """Move the orders these events are news for, and return them as they were. `due` is when to look after them, in SQL."""
    found = lock(connection, (event.order_id for event in events))
    news: dict[int, tuple[Order, Outcome, State]] = {}
    for event in events:
        order = found.get(event.order_id)
        if order is None:
            raise UnknownOrder(f"there is no order {event.order_id}")
        target = TRANSITIONS.get((order.state, cause))
        if target is None or event.revision != order.revision:
            log.info("order %d is %s: %s of revision %d says nothing new", order.id, order.state, cause, event.revision)
            continue
        news[order.id] = (order, event, target)
    _write(connection, news, due)
    return [order for order, _, _ in news.values()]


def _write(connection: Connection, news: Mapping[int, tuple[Order, Outcome, State]], due: str) -> None:
    for target in {target for _, _, target in news.values()}:
        ids = [order.id for order, _, to in news.values() if to is target]
        moved = orders.update().where(orders.c.id.in_(ids))
        connection.execute(moved.values(state=target, due_at=text(due), reminders=0))
    steps = [step for _, event, target in news.values() for step in _steps(event, target)]
    if steps:
        connection.execute(order_steps.insert(), steps)


def _steps(event: Outcome, target: State) -> list[dict[str, Any]]:
    """When it happened is fulfilment's to say; here it is only kept."""
    steps: list[tuple[Step, datetime, dict[str, Any]]] = [(Step.TAKEN, event.taken_at, {})] if event.taken_at else []
    steps += [(Step.TRY, run.started_at, run.model_dump(mode="json", exclude={"started_at"})) for run in event.tries]
    steps.append((STEP_OF[target], event.decided_at, {}))
    return [{"order_id": event.order_id, "step": step, "at": at, "detail": detail} for step, at, detail in steps]


STEP_OF = {State.FULFILLED: Step.FULFILLED, State.FAILED: Step.FAILED, State.RELEASING: Step.CANCEL_ACCEPTED}
