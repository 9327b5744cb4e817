"""A burst of orders, and how long after the last is placed the last is fulfilled."""

import time
from dataclasses import dataclass, replace

from bench.cells import MANY
from bench.ours import DRAIN_SECONDS, UNFINISHED, Ours
from bench.subject import Subject
from bench.wrk import Running
from local.processes import wait_until

ORDERS = 2000
PLACING_SECONDS = 10.0


@dataclass(frozen=True)
class Burst:
    """`placing_seconds` from the first order to the last, `last_seconds` from there to the last being fulfilled."""

    placing_seconds: float
    last_seconds: float


def burst(ours: Ours, subject: Subject) -> Burst:
    """By the database's clock, and by the state that a client of ordering sees."""
    new = f"FROM ordering.orders WHERE id > {int(ours.number('SELECT COALESCE(MAX(id), 0) FROM ordering.orders'))}"
    running = Running(replace(subject.load("place", MANY, PLACING_SECONDS), stop_after=ORDERS))
    count = f"SELECT COUNT(*) {new}"
    wait_until(lambda: ours.number(count) >= ORDERS, DRAIN_SECONDS, lambda: "The burst did not come in.")
    wait_until(lambda: _over(ours), DRAIN_SECONDS, lambda: "The burst was not worked off.")
    last = ours.number(f"SELECT TIMESTAMPDIFF(MICROSECOND, MAX(decided_at), NOW(6)) / 1e6 {new}")
    placing = ours.number(f"SELECT TIMESTAMPDIFF(MICROSECOND, MIN(created_at), MAX(decided_at)) / 1e6 {new}")
    running.result()
    subject.drain()
    return Burst(placing, last)


def _over(ours: Ours) -> bool:
    time.sleep(0.02)
    return not ours.number(UNFINISHED)
