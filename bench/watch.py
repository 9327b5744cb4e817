"""Watching the system under a load: how much waits where, and what every process has in memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import linear_regression

from bench import usage
from bench.ours import Backlog, Ours
from bench.wrk import Load, Running, Window


@dataclass(frozen=True)
class Sample:
    """`at` is in seconds from the start of the load."""

    at: float
    backlog: Backlog
    memory_mb: dict[str, float]


def watch(ours: Ours, load: Load, every: float) -> tuple[Window, list[Sample]]:
    roots = ours.processes()
    started = time.monotonic()
    running = Running(load)
    samples = []
    while not running.over:
        memory = {name: usage.memory_mb(pid) for name, pid in roots.items()}
        samples.append(Sample(time.monotonic() - started, ours.backlog(), memory))
        time.sleep(every)
    return running.result(), samples


def growth_per_second(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    """The slope of the straight line that fits best."""
    if len(samples) < 3:
        return 0.0
    return linear_regression([sample.at for sample in samples], [value(sample) for sample in samples]).slope
