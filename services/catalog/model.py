"""Catalog's tables and limits."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT

from chassis.web.idempotency import CallerColumn, idempotency_table

MAX_STOCK = 1_000_000_000
NAME_LENGTH = 255
REASON_LENGTH = 255
ACTOR_LENGTH = 128

metadata = MetaData()
NOW = text("CURRENT_TIMESTAMP(6)")


class MovementKind(StrEnum):
    INITIAL = "initial"
    ADJUSTMENT = "adjustment"
    RESERVATION = "reservation"
    RELEASE = "release"


class ReservationState(StrEnum):
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"


# A deleted product keeps its row: old orders name it. `version` changes with every change, stock included. `limit_epoch` is
# another one each time a limit is set where there was none: what was bought in between was not counted.
products = Table(
    "products",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("price", Numeric(9, 2), nullable=False),
    Column("stock", BigInteger, nullable=False),
    Column("max_per_customer", BigInteger),
    Column("limit_epoch", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("created_at", DATETIME(fsp=6), nullable=False, server_default=NOW),
    Column("deleted_at", DATETIME(fsp=6)),
    CheckConstraint("stock >= 0", name="stock_not_negative"),
)

# Every change of a stock, append only: `stock` is what it came to.
stock_movements = Table(
    "stock_movements",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("product_id", BigInteger, ForeignKey("products.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("delta", BigInteger, nullable=False),
    Column("stock", BigInteger, nullable=False),
    Column("order_id", BigInteger),
    Column("reason", String(REASON_LENGTH)),
    Column("actor", String(ACTOR_LENGTH)),  # who did it; nobody where it came of an order, or nobody said who he is
    Column("created_at", DATETIME(fsp=6), nullable=False, server_default=NOW),
    Index("by_product", "product_id"),
)

# What was asked for an order and what was decided, both as they crossed the wire, so that a repeat is answered alike.
reservations = Table(
    "reservations",
    metadata,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("request", LONGTEXT, nullable=False),
    Column("outcome", LONGTEXT, nullable=False),
    Column("released_at", DATETIME(fsp=6)),
)

# Units that a customer's orders hold of a product, counted since it was given a limit. None for products without one.
customer_purchases = Table(
    "customer_purchases",
    metadata,
    Column("product_id", BigInteger, ForeignKey("products.id"), primary_key=True),
    Column("limit_epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("customer", CallerColumn, primary_key=True),
    Column("held", BigInteger, nullable=False),
    CheckConstraint("held >= 0", name="held_not_negative"),
)

idempotency_keys = idempotency_table(metadata)
