"""The rounds: every subject in turn, so that a slow minute of the machine falls on all of them alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from bench import usage, wrk
from bench.cells import Cell
from bench.controls import noop, noop_behind_gateway, static
from bench.ours import Ours
from bench.subject import Subject
from bench.usual_design import usual
from bench.wrk import Window

SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Plan:
    """`seconds` is how long a load is kept up while it counts; `orders` fill the tables that growth is measured with."""

    rounds: int = 3
    seconds: float = 30
    warm_up_seconds: float = 5
    soak_seconds: float = 600
    orders: int = 1_000_000
    usual_threads: int = 16

    def __str__(self) -> str:
        soak, orders = f"a soak of {self.soak_seconds:g} s", f"{self.orders:,} orders in the full tables"
        return f"{self.rounds} of {self.seconds:g} s windows, {soak}, {orders}"


QUICK = Plan(rounds=1, seconds=3, warm_up_seconds=1, soak_seconds=20, orders=20_000)


def play(cells: Sequence[Cell], plan: Plan, ours: Ours, directory: Path) -> Iterator[tuple[int, Cell, Window]]:
    for number in range(plan.rounds):
        for name, same in groupby(cells, key=lambda cell: cell.subject):
            with _start(name, plan, ours, directory)() as subject:
                for cell in same:
                    yield number, cell, measure(subject, cell, plan)


def _start(name: str, plan: Plan, ours: Ours, directory: Path) -> Callable[[], AbstractContextManager[Subject]]:
    return {
        "static": lambda: static(directory),
        "noop": lambda: noop(directory),
        "noop behind gateway": lambda: noop_behind_gateway(directory),
        "usual": lambda: usual(directory, ours, plan.usual_threads),
        "ours": ours.resumed,
    }[name]


def measure(subject: Subject, cell: Cell, plan: Plan) -> Window:
    """The window, with the CPU time of a good answer and of all that follows it.

    Much of that comes after the window, so CPU is counted from before the warm-up until nothing waits any more, for the
    answers of both, less what the processes take when idle for as long as they drain.
    """
    load = subject.load(cell.scenario, cell.clients, plan.seconds)
    before = subject.cpu_seconds()
    warm_up, window = wrk.run(replace(load, seconds=plan.warm_up_seconds)), wrk.run(load)
    ended = time.monotonic()
    subject.drain()
    draining, after = time.monotonic() - ended, subject.cpu_seconds()
    time.sleep(min(draining, SETTLE_SECONDS))
    as_long = max(1.0, draining / SETTLE_SECONDS)
    idle = {name: (seconds - after[name]) * as_long for name, seconds in subject.cpu_seconds().items()}
    spent = usage.cost(before, after, idle) | {"wrk": warm_up.wrk_seconds + window.wrk_seconds}
    answers = max(1, warm_up.count(*cell.good) + window.count(*cell.good))
    return replace(window, cpu_ms={name: seconds * 1000 / answers for name, seconds in spent.items()})
