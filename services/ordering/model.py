"""Ordering's tables, the states of an order and the one table of how it moves between them."""

from enum import StrEnum

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME

from chassis.messaging.dead_letters import dead_letter_table
from chassis.messaging.outbox import Outbox
from chassis.process.heartbeat import workers_table
from chassis.web.idempotency import CallerColumn, FingerprintColumn, KeyColumn

MAX_ITEMS = 100
MAX_QUANTITY = 10_000


class State(StrEnum):
    PENDING = "pending"  # accepted, not yet decided
    PLACED = "placed"  # stock is held, fulfilment is announced
    FULFILLED = "fulfilled"
    FAILED = "failed"  # fulfilment gave up; a person redrives or cancels
    CANCELLING = "cancelling"  # fulfilment is asked whether it comes in time
    RELEASING = "releasing"  # cancelled; the stock is on its way back
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # refused at placing


class Cause(StrEnum):
    HELD = "held"
    REFUSED = "refused"
    FULFILLED = "fulfilled"
    GAVE_UP = "gave_up"
    CANCEL = "cancel"
    CANCEL_ACCEPTED = "cancel_accepted"
    RELEASED = "released"
    REDRIVE = "redrive"


# What is not here doesn't happen: an event that finds no entry is a repeat or comes too late, and moves nothing.
TRANSITIONS = {
    (State.PENDING, Cause.HELD): State.PLACED,
    (State.PENDING, Cause.REFUSED): State.REJECTED,
    (State.PLACED, Cause.FULFILLED): State.FULFILLED,
    (State.PLACED, Cause.GAVE_UP): State.FAILED,
    (State.PLACED, Cause.CANCEL): State.CANCELLING,
    (State.FAILED, Cause.CANCEL): State.CANCELLING,
    (State.FAILED, Cause.REDRIVE): State.PLACED,
    (State.CANCELLING, Cause.FULFILLED): State.FULFILLED,
    (State.CANCELLING, Cause.GAVE_UP): State.FAILED,
    (State.CANCELLING, Cause.CANCEL_ACCEPTED): State.RELEASING,
    (State.RELEASING, Cause.RELEASED): State.CANCELLED,
}

# These start something new: events about what was before are stale from then on.
RAISES_REVISION = frozenset({Cause.CANCEL, Cause.REDRIVE})

# Fulfilment owes these an answer. Those pending and releasing are ours to move on. They are few at any
# time, so their index by state serves who looks after them.
WAITING = (State.PLACED, State.CANCELLING)


class Step(StrEnum):
    """What an order's timeline shows beside what its row tells."""

    FAILED = "failed"
    CANCEL_REQUESTED = "cancel_requested"
    CANCEL_ACCEPTED = "cancel_accepted"
    STOCK_RETURNED = "stock_returned"
    REDRIVEN = "redriven"


metadata = MetaData()
NOW = text("CURRENT_TIMESTAMP(6)")

# The request key and the order are one row: no crash can part them.
orders = Table(
    "orders",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("request_key", KeyColumn, nullable=False),
    Column(
        "customer", CallerColumn, nullable=False, server_default=""
    ),  # whose it is; empty where nobody says who he is
    Column("request_id", String(64, collation="ascii_bin")),
    Column("fingerprint", FingerprintColumn, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("items", JSON, nullable=False),
    Column("expected_total", Numeric(16, 2)),
    Column("total", Numeric(16, 2)),
    # No JSON: an update of many rows keeps what has no bound in a temporary file on MariaDB, and takes twice as long.
    Column("unit_prices", String(1200, collation="ascii_bin")),
    Column("refusal", String(12_000, collation="ascii_bin")),
    Column("created_at", DATETIME(fsp=6), nullable=False, server_default=NOW),
    Column("reserved_at", DATETIME(fsp=6)),
    Column("decided_at", DATETIME(fsp=6)),
    Column("due_at", DATETIME(fsp=6)),  # to be looked after; without, a while after it was accepted
    Column("announced_at", DATETIME(fsp=6)),
    Column("taken_at", DATETIME(fsp=6)),
    Column("fulfilled_at", DATETIME(fsp=6)),
    Column("fulfilled_by", CHAR(32)),
    Column("tries", JSON(none_as_null=True)),  # if it took more than one
    Column("cancel_forced", Boolean, nullable=False, server_default="0"),
    Column("listed", Boolean, Computed("state <> 'rejected'", persisted=False)),
    UniqueConstraint("request_key", "customer", name="request_key"),
    Index("by_customer", "customer"),
    Index("by_state", "state"),
    Index("by_listed", "listed"),
)

order_steps = Table(
    "order_steps",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("order_id", BigInteger, nullable=False),
    Column("step", String(24), nullable=False),
    Column("at", DATETIME(fsp=6), nullable=False),
    Column("detail", JSON, nullable=False),
    Index("by_order", "order_id"),
)

# One row: by what the Redis server was known when last seen. After a loss the whole outbox is made new, by id, in steps:
# `made_due_up_to` is how far that has come, NULL when it is done.
redis_marks = Table(
    "redis_marks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("run_id", String(64), nullable=False),
    Column("mark", String(64), nullable=False),
    Column("made_due_up_to", BigInteger),
)

outbox = Outbox(metadata)
dead_letters = dead_letter_table(metadata)
workers = workers_table(metadata)
