"""An order as a value, read from its row; and the one way to move rows from state to state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, bindparam, func, select

from chassis import request_ids
from chassis.database.rows import array_of
from chassis.problems import NotFound
from chassis.web.access import Caller
from chassis.web.paging import page_of
from contracts.reservations import OUTCOME, Line, Outcome, Reservation
from ordering.model import RAISES_REVISION, TRANSITIONS, Cause, State, Step, order_steps, orders


@dataclass
class Item:
    """`unit_price` is None until catalog has decided. Plain, like what the services tell each other, and as quickly made."""

    product_id: int
    quantity: int
    unit_price: Decimal | None = None


class Order(NamedTuple):
    """A row as it was read. What the database wrote needs no validation, and a tuple is what is made fastest."""

    id: int
    request_key: bytes
    customer: str
    fingerprint: bytes
    state: State
    revision: int
    items: list[Item]
    expected_total: Decimal | None
    total: Decimal | None
    refusal: Outcome | None
    created_at: datetime
    reserved_at: datetime | None
    decided_at: datetime | None
    cancel_forced: bool
    request_id: str | None = None  # of the request that placed it

    def reservation(self) -> Reservation:
        lines = [Line(item.product_id, item.quantity) for item in self.items]
        return Reservation(self.id, lines, self.expected_total, self.request_id)


def pending_order(
    id_: int,
    key: str,
    customer: str,
    fingerprint: bytes,
    lines: Iterable[Line],
    expected_total: Decimal | None,
    created_at: datetime,
    request_id: str | None,
) -> Order:
    """As accepting it leaves its row."""
    return Order(
        id=id_,
        request_key=key.encode(),
        customer=customer,
        fingerprint=fingerprint,
        state=State.PENDING,
        revision=1,
        items=[Item(line.product_id, line.quantity) for line in lines],
        expected_total=expected_total,
        total=None,
        refusal=None,
        created_at=created_at,
        reserved_at=None,
        decided_at=None,
        cancel_forced=False,
        request_id=request_id,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """As much of an order as its next move depends on."""

    id: int
    state: State
    revision: int


AN_ORDER = array_of(orders.c[name] for name in (*Order._fields, "unit_prices"))


def fetch(connection: Connection, query: Select[str], **parameters: Any) -> list[Order]:
    """The orders that a query of AN_ORDER finds."""
    return [_order(*orjson.loads(row)) for row in connection.execute(query, parameters).scalars()]


def _order(
    id_: int,
    key: str,
    customer: str,
    fingerprint: str,
    state: str,
    revision: int,
    items: list[dict[str, int]],
    expected_total: str | None,
    total: str | None,
    refusal: str | None,
    created_at: str,
    reserved_at: str | None,
    decided_at: str | None,
    cancel_forced: int,
    request_id: str | None,
    unit_prices: str | None,
) -> Order:
    prices = repeat(None) if unit_prices is None else map(Decimal, unit_prices.split())
    return Order(
        id_,
        bytes.fromhex(key),
        bytes.fromhex(customer).decode(),
        bytes.fromhex(fingerprint),
        State(state),
        revision,
        [Item(unit_price=price, **item) for item, price in zip(items, prices, strict=False)],
        None if expected_total is None else Decimal(expected_total),
        None if total is None else Decimal(total),
        None if refusal is None else OUTCOME.validate_json(refusal),
        datetime.fromisoformat(created_at),
        None if reserved_at is None else datetime.fromisoformat(reserved_at),
        None if decided_at is None else datetime.fromisoformat(decided_at),
        bool(cancel_forced),
        request_id,
    )


def lock(connection: Connection, order_ids: Iterable[int]) -> dict[int, Standing]:
    """The rows, locked by primary key in id order, and where each order stands."""
    rows = connection.execute(STANDINGS, {"ids": sorted(set(order_ids))})
    return {id_: Standing(id_, State(state), revision) for id_, state, revision in rows}


def lock_one(connection: Connection, order_id: int, caller: Caller) -> Order:
    """The whole order, its row locked. Raises NotFound also for one of another customer."""
    for order in fetch(connection, LOCK, ids=[order_id]):
        return visible(order, caller)
    raise NotFound("Order not found")


def visible(order: Order, caller: Caller) -> Order:
    """That of another customer doesn't exist for this one."""
    if not caller.may_see(order.customer):
        raise NotFound("Order not found")
    return order


def begin_revision(
    connection: Connection, order: Order, cause: Cause, step: Step, caller: Caller, *, forced: bool = False
) -> Order | None:
    """Move a locked order to where `cause` leads, under its next revision. None if it leads nowhere from here."""
    assert cause in RAISES_REVISION, "what begins nothing new goes on under the revision it has"
    target = TRANSITIONS.get((order.state, cause))
    if target is None:
        return None
    moved = order._replace(state=target, revision=order.revision + 1, cancel_forced=forced)
    update = orders.update().where(orders.c.id == order.id)
    changed = {"state": target, "revision": moved.revision, "cancel_forced": forced, "due_at": None}
    connection.execute(update.values(changed))
    detail: dict[str, Any] = {"by": caller.id} if caller.id else {}
    if forced:
        detail["forced"] = True
    if request_id := request_ids.current():
        detail["request_id"] = request_id
    connection.execute(order_steps.insert().values(order_id=order.id, step=step, at=func.now(6), detail=detail))
    return moved


BY_IDS = select(AN_ORDER).where(orders.c.id.in_(bindparam("ids", expanding=True)))
LOCK = BY_IDS.order_by(orders.c.id).with_hint(orders, "FORCE INDEX (PRIMARY)").with_for_update()
STANDINGS = LOCK.with_only_columns(orders.c.id, orders.c.state, orders.c.revision)


def read(connection: Connection, order_ids: Sequence[int]) -> list[Order | NotFound]:
    """In the order asked; NotFound stands where there is none."""
    found = {order.id: order for order in fetch(connection, BY_IDS, ids=list(set(order_ids)))}
    return [found.get(id_) or NotFound("Order not found") for id_ in order_ids]


def list_(
    connection: Connection,
    *,
    after: int | None,
    limit: int,
    state: State | None,
    newest_first: bool,
    customer: str | None = None,
) -> list[Order]:
    """Those refused at placing only when asked for. With a `customer` his own."""
    key, value = (orders.c.state, state) if state else (orders.c.listed, True)
    query = select(AN_ORDER)
    if customer is None:
        page = page_of(query, key, value, orders.c.id, after=after, newest_first=newest_first)
    else:
        his = query.where(key == value)
        page = page_of(his, orders.c.customer, customer.encode(), orders.c.id, after=after, newest_first=newest_first)
    return fetch(connection, page.limit(limit))
