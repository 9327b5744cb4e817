"""All three schemas at one moment, read with a user that may read and nothing else."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pymysql

from chassis.messaging.dead_letters import unpack
from faults.failing_worker import AFTER_ITS_EFFECT
from faults.ledger import Identity
from faults.redis_faults import is_poison

Cursor = pymysql.cursors.DictCursor
Connection: TypeAlias = "pymysql.Connection[Cursor]"
Lines = frozenset[tuple[int, int]]


@contextmanager
def reader(port: int, user: str) -> Iterator[Connection]:
    connection = pymysql.connect(
        host="127.0.0.1", port=port, user=user, password=user, cursorclass=Cursor, ssl_disabled=True
    )
    try:
        yield connection
    finally:
        connection.close()


def rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


@dataclass(frozen=True)
class Order:
    id: int
    key: str
    state: str
    lines: Lines
    customer: str = ""

    @property
    def identity(self) -> Identity:
        return self.customer, self.key


@dataclass(frozen=True)
class Reservation:
    state: str
    lines: Lines


@dataclass(frozen=True)
class Movement:
    product_id: int
    kind: str
    delta: int
    stock: int
    order_id: int | None
    reason: str | None


@dataclass(frozen=True)
class Snapshot:
    stocks: dict[int, int]
    movements: list[Movement]
    reservations: dict[int, Reservation]
    orders: dict[int, Order]
    fulfilments: dict[int, str]
    completions: Counter[int]
    letters: dict[tuple[str, str], bool]  # by stream and entry: is it the bytes of a poison?
    repeats: Counter[int] = field(
        default_factory=Counter
    )  # tries before the last that may have had their effect, by order


def take(connection: Connection) -> Snapshot:
    """One consistent read over all schemas: they live on one server."""
    rows(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    rows(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    try:
        return _read(connection)
    finally:
        connection.rollback()


def _read(connection: Connection) -> Snapshot:
    return Snapshot(
        stocks={row["id"]: row["stock"] for row in rows(connection, "SELECT id, stock FROM catalog.products")},
        movements=[Movement(**row) for row in rows(connection, MOVEMENTS)],
        reservations={
            row["order_id"]: Reservation(row["state"], _lines(json.loads(row["request"])["lines"]))
            for row in rows(connection, "SELECT order_id, state, request FROM catalog.reservations")
        },
        orders={row["id"]: _order(**row) for row in rows(connection, ORDERS)},
        fulfilments={
            row["order_id"]: row["state"]
            for row in rows(connection, "SELECT order_id, state FROM fulfilment.fulfilments")
        },
        completions=Counter({row["order_id"]: row["n"] for row in rows(connection, COMPLETIONS)}),
        repeats=Counter({row["order_id"]: row["n"] for row in rows(connection, REPEATS)}),
        letters={
            (row["stream"], row["entry_id"]): is_poison(unpack(row["fields"])) for row in rows(connection, LETTERS)
        },
    )


ORDERS = "SELECT id, request_key, customer, state, items FROM ordering.orders"
MOVEMENTS = "SELECT product_id, kind, delta, stock, order_id, reason FROM catalog.stock_movements ORDER BY id"
COMPLETIONS = "SELECT id AS order_id, 1 AS n FROM ordering.orders WHERE fulfilled_at IS NOT NULL"
REPEATS = f"""
    SELECT order_id, COUNT(*) AS n FROM fulfilment.past_tries
    WHERE result = 'lost' OR reason LIKE '%{AFTER_ITS_EFFECT}%' GROUP BY order_id
"""
LETTERS = """
    SELECT stream, entry_id, fields FROM ordering.dead_letters
    UNION ALL SELECT stream, entry_id, fields FROM fulfilment.dead_letters
"""


def _order(id: int, request_key: bytes, customer: bytes, state: str, items: str) -> Order:  # noqa: A002 - as its column
    return Order(id, bytes(request_key).decode(), state, _lines(items), bytes(customer).decode())


def _lines(items: str | list[dict[str, Any]]) -> Lines:
    listed = json.loads(items) if isinstance(items, str) else items
    return frozenset((item["product_id"], item["quantity"]) for item in listed)
