"""Fulfilment's tables, and the states of a fulfilment with the one table of how it moves between them."""

from enum import StrEnum

from sqlalchemy import CHAR, JSON, BigInteger, Column, Index, Integer, MetaData, String, Table
from sqlalchemy.dialects.mysql import DATETIME

from chassis.messaging.dead_letters import dead_letter_table
from chassis.messaging.outbox import Outbox
from chassis.process.heartbeat import workers_table

REASON_LENGTH = 1000
LONGEST_BACKOFF_SECONDS = 30.0


class State(StrEnum):
    PROCESSING = "processing"
    COMMITTING = "committing"  # past the point of no return: an outside effect may have happened
    FULFILLED = "fulfilled"
    FAILED = "failed"
    FAILED_LATE = "failed_late"  # given up past that point: whether the effect happened is for a person to find out
    CANCELLED = "cancelled"


class Cause(StrEnum):
    COMMIT = "commit"
    COMPLETE = "complete"
    GIVE_UP = "give_up"
    CANCEL = "cancel"
    FORCED_CANCEL = "forced_cancel"
    REDRIVE = "redrive"


# What is not here doesn't happen. A cancel that finds no entry comes too late.
TRANSITIONS = {
    (State.PROCESSING, Cause.COMMIT): State.COMMITTING,
    (State.COMMITTING, Cause.COMMIT): State.COMMITTING,
    (State.PROCESSING, Cause.COMPLETE): State.FULFILLED,
    (State.COMMITTING, Cause.COMPLETE): State.FULFILLED,
    (State.PROCESSING, Cause.GIVE_UP): State.FAILED,
    (State.COMMITTING, Cause.GIVE_UP): State.FAILED_LATE,
    (State.PROCESSING, Cause.CANCEL): State.CANCELLED,
    (State.FAILED, Cause.CANCEL): State.CANCELLED,
    (State.PROCESSING, Cause.FORCED_CANCEL): State.CANCELLED,
    (State.FAILED, Cause.FORCED_CANCEL): State.CANCELLED,
    (State.FAILED_LATE, Cause.FORCED_CANCEL): State.CANCELLED,
    (State.FAILED, Cause.REDRIVE): State.PROCESSING,
    (State.FAILED_LATE, Cause.REDRIVE): State.COMMITTING,
}

IN_WORK = frozenset({State.PROCESSING, State.COMMITTING})

metadata = MetaData()

# `owner` is the boot of the worker that runs the latest try, or ran it; `fence` is that try's number: whoever holds an older
# one has lost the row. A row without owner is the tombstone of an order cancelled before it was seen.
fulfilments = Table(
    "fulfilments",
    metadata,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", CHAR(32)),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("items", JSON, nullable=False),
    Column("reason", String(REASON_LENGTH)),
    Column("request_id", String(64, collation="ascii_bin")),  # of the request that placed the order
    Column("announced_at", DATETIME(fsp=6)),
    Column("taken_at", DATETIME(fsp=6)),
    Column("started_at", DATETIME(fsp=6)),
    Column("decided_at", DATETIME(fsp=6)),
    Index("by_state_and_owner", "state", "owner"),
)

# The row above is the latest try; here are those before it. `ended_at` is NULL when the worker vanished.
past_tries = Table(
    "past_tries",
    metadata,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("fence", Integer, primary_key=True, autoincrement=False),
    Column("worker", CHAR(32), nullable=False),
    Column("started_at", DATETIME(fsp=6), nullable=False),
    Column("ended_at", DATETIME(fsp=6)),
    Column("result", String(16), nullable=False),
    Column("reason", String(REASON_LENGTH)),
)

outbox = Outbox(metadata)
dead_letters = dead_letter_table(metadata)
workers = workers_table(metadata)
