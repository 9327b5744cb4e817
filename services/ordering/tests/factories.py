"""What tests are given, and what they look at afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import orjson
from sqlalchemy import Connection, TextClause, func, select, text

from chassis.database.transactions import Database
from chassis.web.idempotency import fingerprint
from contracts.batches import unseal
from contracts.events import OrderCancelled, OrderPlaced, ordering_events
from contracts.reservations import Line, Outcome, PricedLine, Result, Shortage
from ordering import orders as stored
from ordering.accept_orders import NewOrder, accept
from ordering.model import State, orders, outbox
from ordering.orders import Order
from ordering.place_orders import Verdict, decide

PRICE = Decimal("10.50")
DECIDED_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

_keys = count(1)


def a_new_order(
    key: str | None = None, *lines: tuple[int, int], expected_total: str | None = None, customer: str = ""
) -> NewOrder:
    """Lines are (product id, quantity)."""
    wanted = lines or ((1, 2),)
    return NewOrder(
        key=key or f"key {next(_keys)}",
        fingerprint=fingerprint(wanted, expected_total),
        lines=[Line(product_id=product_id, quantity=quantity) for product_id, quantity in wanted],
        expected_total=None if expected_total is None else Decimal(expected_total),
        customer=customer,
    )


@contextmanager
def a_key_held(database: Database, key: str) -> Iterator[None]:
    """Another process has inserted this key and doesn't commit."""
    with database._engine.connect() as other:
        accept(other, [a_new_order(key)])
        yield
        other.rollback()


def a_pending_order(database: Database, *lines: tuple[int, int], key: str | None = None) -> Order:
    [order] = database.transact(accept, [a_new_order(key, *lines)])
    assert isinstance(order, Order)
    return order


def an_order(
    database: Database, state: State, *, revision: int = 1, due_in: int | None = 10, customer: str = ""
) -> Order:
    """One of two units of product 1, as it stands in the table once it has got there. `due_in` is in seconds."""

    def plant(connection: Connection) -> Order:
        [order] = accept(connection, [a_new_order(customer=customer)])
        assert isinstance(order, Order)
        if state is not State.PENDING:
            decide(connection, [refused(order) if state is State.REJECTED else held(order)])
        moved = orders.update().where(orders.c.id == order.id).values(state=state, revision=revision)
        connection.execute(moved.values(due_at=None if due_in is None else _in_seconds(due_in)))
        if state not in {State.PENDING, State.REJECTED}:
            newest = connection.execute(select(func.max(outbox.table.c.id))).scalar_one()
            connection.execute(outbox.table.delete().where(outbox.table.c.id == newest))
        [planted] = stored.read(connection, [order.id])
        assert isinstance(planted, Order)
        return planted

    return database.transact(plant)


def _in_seconds(seconds: int) -> TextClause:
    return text("NOW(6) + INTERVAL :due SECOND").bindparams(due=seconds)


def held(order: Order) -> Verdict:
    lines = [PricedLine(product_id=item.product_id, quantity=item.quantity, unit_price=PRICE) for item in order.items]
    total = sum((PRICE * line.quantity for line in lines), Decimal())
    outcome = Outcome(order_id=order.id, result=Result.HELD, lines=lines, total=total, decided_at=DECIDED_AT)
    return Verdict(order, outcome)


def refused(order: Order, result: Result = Result.INSUFFICIENT_STOCK) -> Verdict:
    shortages = [Shortage(product_id=item.product_id, requested=item.quantity, available=0) for item in order.items]
    outcome = Outcome(
        order_id=order.id, result=result, shortages=shortages, total=PRICE, missing=[1], decided_at=DECIDED_AT
    )
    return Verdict(order, outcome)


def undecided(order: Order, result: Result = Result.UNDECIDED) -> Verdict:
    return Verdict(order, Outcome(order_id=order.id, result=result))


def the_order(database: Database, order_id: int) -> Order:
    [order] = database.transact(stored.read, [order_id])
    assert isinstance(order, Order)
    return order


def states(database: Database) -> dict[int, str]:
    return dict(rows(database, "SELECT id, state FROM orders"))


def announcements(database: Database) -> list[tuple[str, int, int]]:
    """What the outbox holds, as (type, order id, revision)."""
    return [(event["type"], event["order_id"], event["revision"]) for event in outbox_events(database)]


def outbox_events(database: Database) -> list[OrderPlaced | OrderCancelled]:
    batches = rows(database, "SELECT payload FROM outbox ORDER BY id")
    return [ordering_events.event(orjson.dumps(event)) for (payload,) in batches for event in unseal(payload)]


def forget_announcements(database: Database) -> None:
    rows(database, "DELETE FROM outbox")


def steps_of(database: Database, order_id: int) -> list[str]:
    return [
        step for (step,) in rows(database, "SELECT step FROM order_steps WHERE order_id = :id ORDER BY id", id=order_id)
    ]


def seconds_until_due(database: Database, order_id: int) -> float | None:
    sql = "SELECT TIMESTAMPDIFF(MICROSECOND, NOW(6), due_at) / 1000000 FROM orders WHERE id = :id"
    [(seconds,)] = rows(database, sql, id=order_id)
    return None if seconds is None else float(seconds)


def let_all_be_sent_again(database: Database) -> None:
    """As if everything in the outbox had been sent a while ago."""
    rows(database, "UPDATE outbox SET due_at = NOW(6) - INTERVAL 1 SECOND, sent = GREATEST(sent, 1)")


def let_be_due(database: Database, order_ids: Sequence[int]) -> None:
    rows(database, "UPDATE orders SET due_at = NOW(6) - INTERVAL 1 SECOND WHERE id IN :ids", ids=tuple(order_ids))


def rows(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """Those of a query; none of a statement."""

    def run(connection: Connection) -> list[tuple[Any, ...]]:
        result = connection.execute(text(sql), values)
        return [tuple(row) for row in result] if result.returns_rows else []

    return database.transact(run)
