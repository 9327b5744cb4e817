"""The rounds: every subject in turn, so that a slow minute of the machine falls on all of them alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from bench import wrk
from bench.cells import Cell
from bench.controls import noop, static
from bench.ours import Ours
from bench.subject import Subject
from bench.usual_design import usual
from bench.wrk import Window


@dataclass(frozen=True)
class Plan:
    """How long each load is kept up before it counts, and while it does."""

    rounds: int
    seconds: float
    warm_up_seconds: float
    usual_threads: int = 16


def play(cells: Sequence[Cell], plan: Plan, ours: Ours, directory: Path) -> Iterator[tuple[int, Cell, Window]]:
    for number in range(plan.rounds):
        for name, same in groupby(cells, key=lambda cell: cell.subject):
            with _start(name, plan, ours, directory)() as subject:
                for cell in same:
                    yield number, cell, measure(subject, cell, plan)


def measure(subject: Subject, cell: Cell, plan: Plan) -> Window:
    load = subject.load(cell.scenario, cell.clients, plan.seconds)
    wrk.run(load.lasting(plan.warm_up_seconds), subject.processes)
    window = wrk.run(load, subject.processes)
    subject.drain()
    return window


def _start(name: str, plan: Plan, ours: Ours, directory: Path) -> Callable[[], AbstractContextManager[Subject]]:
    return {
        "static": lambda: static(directory),
        "noop": lambda: noop(directory),
        "usual": lambda: usual(directory, ours, plan.usual_threads),
        "ours": ours.resumed,
    }[name]
