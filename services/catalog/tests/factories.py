"""What tests are given, and what they look at afterwards."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import text

from catalog import manage_products, reserve_stock
from chassis.database.transactions import Database
from contracts.reservations import OUTCOME, Line, Outcome, Reservation

T = TypeVar("T")


def a_product(
    database: Database,
    stock: int = 10,
    price: str = "10.00",
    name: str = "Laptop",
    max_per_customer: int | None = None,
) -> int:
    created = database.transact(manage_products.create, name, Decimal(price), stock, max_per_customer)
    return created.product.id


def an_order(
    order_id: int, *lines: tuple[int, int], expected_total: str | None = None, customer: str = ""
) -> Reservation:
    """Lines are (product id, quantity)."""
    return Reservation(
        order_id=order_id,
        lines=[Line(product_id=product_id, quantity=quantity) for product_id, quantity in lines],
        expected_total=None if expected_total is None else Decimal(expected_total),
        customer=customer,
    )


def reserve(database: Database, *wanted: Reservation) -> list[Outcome]:
    """As ordering does: what somebody else had locked is asked for again."""
    for _ in range(1000):
        outcomes = database.transact(reserve_stock.reserve, wanted)
        if None not in outcomes:
            return [OUTCOME.validate_json(outcome) for outcome in outcomes if outcome is not None]
        time.sleep(0.005)
    raise AssertionError("somebody keeps the lock")


def release(database: Database, *order_ids: int) -> list[int]:
    return database.transact(reserve_stock.release, order_ids)


def rows(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    return database.transact(lambda connection: [tuple(row) for row in connection.execute(text(sql), values)])


def stock_of(database: Database, product_id: int) -> int:
    [(stock,)] = rows(database, "SELECT stock FROM products WHERE id = :id", id=product_id)
    return int(stock)


def deltas_of(database: Database, product_id: int) -> list[int]:
    """The product's movements, oldest first."""
    moved = rows(database, "SELECT delta FROM stock_movements WHERE product_id = :id ORDER BY id", id=product_id)
    return [delta for (delta,) in moved]


def states_of_reservations(database: Database) -> dict[int, str]:
    return dict(rows(database, "SELECT order_id, state FROM reservations"))


def require_explained_stock(database: Database) -> None:
    """Every stock is the sum of its movements, and what the newest of them says that it came to."""
    unexplained = rows(
        database,
        "SELECT id, stock FROM products "
        "WHERE NOT stock <=> (SELECT SUM(delta) FROM stock_movements WHERE product_id = products.id) "
        "OR NOT stock <=> (SELECT stock FROM stock_movements WHERE product_id = products.id ORDER BY id DESC LIMIT 1)",
    )
    assert unexplained == []


def at_once(work: Sequence[Callable[[], T]]) -> list[T]:
    """Run all in threads of their own; the first exception is raised."""
    with ThreadPoolExecutor(len(work)) as threads:
        return [future.result() for future in [threads.submit(one) for one in work]]
