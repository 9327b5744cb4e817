"""Placing: accept the orders, let catalog decide, keep what it decided. Each part takes a list and may be repeated.

pending → placed | rejected, always forwards. An order whose outcome isn't known stays pending, for its client to ask again
or for `resume_orders` to finish; nobody ever releases it, because a paused process could still place it.
"""

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from chassis.database.rows import folded
from chassis.database.transactions import Database
from chassis.problems import Unavailable
from chassis.process.gather import Gather
from chassis.process.logs import Line, about, tell_each
from contracts.events import OrderPlaced
from contracts.reservations import REFUSALS, Outcome, Reservation, Result, to_json
from ordering.accept_orders import NewOrder, PerhapsAccepted
from ordering.catalog_client import UnexpectedAnswer
from ordering.model import TRANSITIONS, Cause, State, outbox
from ordering.orders import BY_IDS, Item, Order, fetch, lock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What catalog decided about an order that was pending when it was read."""

    order: Order
    outcome: Outcome


class Wanted(NamedTuple):
    """`until` is how long somebody waits for the outcome, by the clock of the event loop."""

    reservation: Reservation
    until: float


@dataclass(frozen=True)
class Stages:
    """The parts of placing, each gathering its callers into lists."""

    accept: Gather[NewOrder, Order]
    reserve: Gather[Wanted, Outcome]
    decide: Gather[Verdict, Order]


class InDoubt(Unavailable):
    """503: the order exists and will be decided; whether it takes stock isn't known yet."""

    def __init__(self, order: Order) -> None:
        key = order.request_key.decode()
        super().__init__(
            "The order is accepted but not yet decided; ask again with its Idempotency-Key",
            order_id=order.id,
            idempotency_key=key,
        )


class NotAccepted(Unavailable):
    """503: nothing was begun, and nothing will be."""

    def __init__(self) -> None:
        super().__init__("The order was not accepted in time; place it again")


async def place(new: NewOrder, stages: Stages, within_seconds: float) -> Order:
    """The order, decided; a key seen before joins the order it named.

    Raises NotAccepted, PerhapsAccepted or InDoubt when time is up, by how far it had come.
    """
    if within_seconds <= 0:
        raise NotAccepted
    accepting = stages.accept.submit(new)
    until = asyncio.get_running_loop().time() + within_seconds
    try:
        async with asyncio.timeout_at(until):
            return await settle(await _accepted(new, accepting), stages, until)
    except TimeoutError:
        if not accepting.cancelled():
            raise InDoubt(accepting.result()) from None
        raise (NotAccepted() if stages.accept.still_waits(accepting) else PerhapsAccepted(new)) from None


async def _accepted(new: NewOrder, accepting: asyncio.Future[Order]) -> Order:
    """A database that goes away while it accepts may have done so."""
    try:
        return await accepting
    except Unavailable as error:
        raise PerhapsAccepted(new) from error


async def settle(order: Order, stages: Stages, until: float) -> Order:
    """Ask catalog, with the same order id, until it has decided. The caller gives up at `until`, by the loop's clock."""
    while order.state is State.PENDING:
        try:
            outcome = await stages.reserve(Wanted(order.reservation(), until))
            order = await stages.decide(Verdict(order, outcome))
        except (Unavailable, UnexpectedAnswer) as error:
            log.warning("order %d is in doubt: %s", order.id, error, extra=about(order.id, order.request_id))
        if order.state is State.PENDING:
            await asyncio.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - jitter
    return order


class NotPending(Exception):
    """One of these orders isn't pending any more, or can't be moved."""


async def decide_together(database: Database, verdicts: Sequence[Verdict]) -> list[Order]:
    """Orders are nearly always as they were read a moment ago, so they are looked at only if they weren't."""
    try:
        decided = await database.run(decide_pending, verdicts)
    except NotPending:
        decided = await database.run(decide, verdicts)
    tell_each(log, logging.DEBUG, (_told(order) for order in decided if order.state is not State.PENDING))
    return decided


def _told(order: Order) -> Line:
    return Line(f"Order #{order.id} is {order.state}", order.id, order.request_id)


def decide_pending(connection: Connection, verdicts: Sequence[Verdict]) -> list[Order]:
    """Move them all and announce those placed, or raise NotPending, which undoes it."""
    moved = _moved(verdicts, {verdict.order.id: State.PENDING for verdict in verdicts})
    if any(verdict.order.id not in moved for verdict in verdicts):
        raise NotPending
    _write(connection, moved)
    return [moved[verdict.order.id] for verdict in verdicts]


def decide(connection: Connection, verdicts: Sequence[Verdict]) -> list[Order]:
    """Move the orders still pending, announce exactly those placed; the others are given as they are."""
    found = lock(connection, (verdict.order.id for verdict in verdicts))
    moved = _moved(verdicts, {standing.id: standing.state for standing in found.values()})
    if moved:
        _write(connection, moved)
    others = _as_they_are(connection, found.keys() - moved.keys())
    return [moved.get(verdict.order.id) or others[verdict.order.id] for verdict in verdicts]


def _moved(verdicts: Sequence[Verdict], states: Mapping[int, State]) -> dict[int, Order]:
    """While an order is pending nothing of it changes, so the one in the verdict needs no reading again."""
    moved: dict[int, Order] = {}
    for verdict in verdicts:
        cause = _cause(verdict.outcome)
        target = TRANSITIONS.get((states[verdict.order.id], cause)) if cause else None
        if target is not None:
            moved[verdict.order.id] = _decided(verdict.order, target, verdict.outcome)
    return moved


def _write(connection: Connection, moved: Mapping[int, Order]) -> None:
    rows = [_row(order) for _, order in sorted(moved.items())]
    if connection.execute(DECIDE, {"decided": folded(rows)}).rowcount != len(rows):
        raise NotPending
    placed = [announcement(order) for order in moved.values() if order.state is State.PLACED]
    outbox.add(connection, placed)


def _as_they_are(connection: Connection, order_ids: Collection[int]) -> dict[int, Order]:
    return {order.id: order for order in fetch(connection, BY_IDS, ids=list(order_ids))} if order_ids else {}


def _cause(outcome: Outcome) -> Cause | None:
    if outcome.result is Result.HELD:
        return Cause.HELD
    return Cause.REFUSED if outcome.result in REFUSALS else None


def _decided(order: Order, target: State, outcome: Outcome) -> Order:
    reserved_at = outcome.decided_at
    if target is State.REJECTED:
        return order._replace(state=target, reserved_at=reserved_at, refusal=outcome)
    items = [Item(line.product_id, line.quantity, line.unit_price) for line in outcome.lines]
    return order._replace(state=target, reserved_at=reserved_at, items=items, total=outcome.total)


def _row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "state": order.state,
        "unit_prices": None if order.refusal else " ".join(str(item.unit_price) for item in order.items),
        "total": order.total,
        "refusal": order.refusal and to_json(order.refusal).decode(),
        "reserved_at": order.reserved_at,
    }


# One statement of constant text for any number of orders, locked in the order they stand in.
DECIDE = text(
    "UPDATE JSON_TABLE(:decided, '$[*]' COLUMNS (id BIGINT PATH '$.id', state VARCHAR(16) PATH '$.state', "
    "unit_prices VARCHAR(1200) PATH '$.unit_prices', total DECIMAL(16, 2) PATH '$.total', "
    "refusal VARCHAR(12000) PATH '$.refusal', "
    "reserved_at VARCHAR(32) PATH '$.reserved_at')) AS decided "
    "STRAIGHT_JOIN orders FORCE INDEX (PRIMARY) ON orders.id = decided.id "
    "SET orders.state = decided.state, orders.unit_prices = decided.unit_prices, orders.total = decided.total, "
    "orders.refusal = decided.refusal, orders.reserved_at = decided.reserved_at, orders.decided_at = NOW(6), "
    "orders.due_at = NULL WHERE orders.state = 'pending'"
)


def announcement(order: Order) -> OrderPlaced:
    event: OrderPlaced = {
        "type": "OrderPlaced",
        "version": 1,
        "order_id": order.id,
        "revision": order.revision,
        "items": [
            {"product_id": item.product_id, "quantity": item.quantity, "unit_price": str(item.unit_price)}
            for item in order.items
        ],
        "total": str(order.total),
    }
    if order.request_id is not None:
        event["request_id"] = order.request_id
    return event
