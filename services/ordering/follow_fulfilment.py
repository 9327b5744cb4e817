"""What fulfilment's outcomes do to an order: compare, move, remember.

Being fulfilled happens to nearly every order, so it is one statement for all of them, and what it tells goes into the
order's own row. What seldom happens is looked at under a lock and becomes a step of its own.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, text

from chassis.database.rows import folded, insert
from chassis.process.logs import about
from contracts.events import OrderFulfilled, Outcome
from ordering.model import TRANSITIONS, Cause, State, Step, order_steps, orders
from ordering.orders import lock

log = logging.getLogger(__name__)


class UnknownOrder(Exception):
    """Orders commit before their events, so an event about none of ours is a dead letter."""


def fulfil(connection: Connection, events: Sequence[OrderFulfilled]) -> None:
    """placed → fulfilled; also cancelling → fulfilled, where the cancel came too late."""
    news = {(event["order_id"], event["revision"]): event for event in events}
    if not news:
        return
    rows = [_row(event) for _, event in sorted(news.items())]
    moved = connection.execute(FULFIL, {"news": folded(rows)}).rowcount
    _remember_tries(connection, [event for event in news.values() if "tries" in event])
    if moved < len(news):
        _require(connection, {event["order_id"] for event in events})
        log.info("%d of %d outcomes said nothing new", len(news) - moved, len(news))


FULFIL = text(
    "UPDATE JSON_TABLE(:news, '$[*]' COLUMNS (id BIGINT PATH '$.id', revision INT PATH '$.revision', "
    "announced_at VARCHAR(32) PATH '$.announced_at', taken_at VARCHAR(32) PATH '$.taken_at', "
    "fulfilled_at VARCHAR(32) PATH '$.fulfilled_at', worker VARCHAR(64) PATH '$.worker')) AS news "
    "STRAIGHT_JOIN orders FORCE INDEX (PRIMARY) ON orders.id = news.id AND orders.revision = news.revision "
    "SET orders.state = :fulfilled, orders.announced_at = news.announced_at, orders.taken_at = news.taken_at, "
    "orders.fulfilled_at = news.fulfilled_at, orders.fulfilled_by = news.worker, "
    "orders.due_at = NULL "
    "WHERE orders.state IN :before"
).bindparams(
    bindparam("before", [state for state, cause in TRANSITIONS if cause is Cause.FULFILLED], expanding=True),
    fulfilled=State.FULFILLED,
)


def _remember_tries(connection: Connection, events: Sequence[OrderFulfilled]) -> None:
    """Of the few that took several. On MariaDB an update by texts without bound goes through a file, so not with the others."""
    if events:
        rows = [{"id": event["order_id"], "tries": _json(event["tries"])} for event in events]
        connection.execute(REMEMBER_TRIES, {"news": folded(rows)})


REMEMBER_TRIES = text(
    "UPDATE JSON_TABLE(:news, '$[*]' COLUMNS (id BIGINT PATH '$.id', tries JSON PATH '$.tries')) AS news "
    "STRAIGHT_JOIN orders FORCE INDEX (PRIMARY) ON orders.id = news.id "
    "SET orders.tries = news.tries WHERE orders.state = :fulfilled"
).bindparams(fulfilled=State.FULFILLED)


def _row(event: OrderFulfilled) -> dict[str, Any]:
    return {
        "id": event["order_id"],
        "revision": event["revision"],
        "announced_at": event.get("announced_at"),
        "taken_at": event.get("taken_at"),
        "fulfilled_at": event["decided_at"],
        "worker": event["worker"],
    }


def move(connection: Connection, events: Sequence[Outcome], cause: Cause, *, due: str = "NULL") -> None:
    """Move the orders these events are news for. `due` is when to look after them, in SQL."""
    if not events:
        return
    found = lock(connection, (event["order_id"] for event in events))
    news: dict[int, tuple[Outcome, State]] = {}
    for event in events:
        order = found.get(event["order_id"])
        if order is None:
            raise UnknownOrder(f"there is no order {event['order_id']}")
        target = TRANSITIONS.get((order.state, cause))
        if target is None or event["revision"] != order.revision:
            log.info(
                "order %d is %s: %s of revision %d says nothing new",
                order.id,
                order.state,
                cause,
                event["revision"],
                extra=about(order.id, event.get("request_id")),
            )
            continue
        news[order.id] = (event, target)
    _write(connection, news, due)


def _require(connection: Connection, order_ids: set[int]) -> None:
    known = select(orders.c.id).where(orders.c.id.in_(bindparam("ids", expanding=True)))
    unknown = order_ids - set(connection.execute(known, {"ids": list(order_ids)}).scalars())
    if unknown:
        raise UnknownOrder(f"there is no order {min(unknown)}")


def _write(connection: Connection, news: Mapping[int, tuple[Outcome, State]], due: str) -> None:
    for target in {target for _, target in news.values()}:
        ids = [order_id for order_id, (_, to) in news.items() if to is target]
        moved = orders.update().where(orders.c.id.in_(bindparam("ids", expanding=True)))
        connection.execute(moved.values(state=target, due_at=text(due)), {"ids": ids})
    insert(connection, order_steps, [_step(event, target) for event, target in news.values()])


def _step(event: Outcome, target: State) -> dict[str, Any]:
    """One row for all that fulfilment tells. When it happened is for fulfilment to say; here it is only kept."""
    return {"order_id": event["order_id"], "step": STEP_OF[target], "at": event["decided_at"], "detail": _told(event)}


def _told(event: Outcome) -> orjson.Fragment:
    return _json(
        {name: value for name, value in event.items() if name in {"announced_at", "taken_at", "decided_at", "tries"}}
    )


def _json(value: Any) -> orjson.Fragment:
    """Times with their zones."""
    return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_UTC_Z))


STEP_OF = {State.FAILED: Step.FAILED, State.RELEASING: Step.CANCEL_ACCEPTED}
