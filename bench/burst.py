"""A burst of orders, and how long after the last is placed the last is fulfilled."""

import time
from dataclasses import dataclass

from bench.cells import MANY
from bench.ours import DRAIN_SECONDS, Ours
from bench.wrk import Running
from local.processes import wait_until

ORDERS = 2000
PLACING_SECONDS = 10.0


@dataclass(frozen=True)
class Burst:
    """`placing_seconds` from the first order to the last, `last_seconds` from there to the last being fulfilled."""

    orders: int
    placing_seconds: float
    last_seconds: float


def burst(ours: Ours) -> Burst:
    """By the database's clock, and by the state that a client of ordering sees."""
    subject = ours.subject()
    after = int(ours.number("SELECT COALESCE(MAX(id), 0) FROM ordering.orders"))
    load = subject.load("place", MANY, PLACING_SECONDS).until(ORDERS)
    running = Running(load)
    new = f"FROM ordering.orders WHERE id > {after}"
    wait_until(lambda: _count(ours, new) >= ORDERS, DRAIN_SECONDS, lambda: "The burst did not come in.")
    wait_until(lambda: _unfinished(ours) == 0, DRAIN_SECONDS, lambda: "The burst was not worked off.")
    last = ours.number(f"SELECT TIMESTAMPDIFF(MICROSECOND, MAX(decided_at), NOW(6)) / 1e6 {new}")
    placing = ours.number(f"SELECT TIMESTAMPDIFF(MICROSECOND, MIN(created_at), MAX(decided_at)) / 1e6 {new}")
    running.result()
    subject.drain()
    return Burst(_count(ours, new), placing, last)


def _count(ours: Ours, new: str) -> int:
    time.sleep(0.05)
    return int(ours.number(f"SELECT COUNT(*) {new}"))


def _unfinished(ours: Ours) -> int:
    time.sleep(0.02)
    return ours.unfinished()
