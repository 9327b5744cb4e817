"""The peak: the highest rate at which orders are worked off as fast as they come in."""

from dataclasses import dataclass, replace

from bench.cells import MANY
from bench.ours import Ours
from bench.subject import Subject
from bench.watch import growth_per_second, watch

FILL_SECONDS = 8.0  # until as many orders leave the pipeline as enter it: the step's 5 s and what is around it
GROWING = 0.03  # of the rate; below it is what batches make a straight line waver by
LOWEST = 0.4
HALVINGS = 4


@dataclass(frozen=True)
class Trial:
    """`asked` is the pace, 0 for as fast as the answers came."""

    asked: float
    rate: float
    growth_per_second: float
    unfinished: int

    @property
    def bounded(self) -> bool:
        return self.growth_per_second <= GROWING * self.rate


def find_peak(ours: Ours, subject: Subject, seconds: float) -> list[Trial]:
    """With the clients that keep it busiest; if the backlog grows then, more slowly, by halving."""
    trials = [_try(ours, subject, 0, seconds)]
    low, high = LOWEST * trials[0].rate, trials[0].rate
    for _ in range(0 if trials[0].bounded else HALVINGS):
        trials.append(_try(ours, subject, (low + high) / 2, seconds))
        low, high = (trials[-1].asked, high) if trials[-1].bounded else (low, trials[-1].asked)
    return trials


def peak_of(trials: list[Trial]) -> float:
    return max((trial.rate for trial in trials if trial.bounded), default=0.0)


def _try(ours: Ours, subject: Subject, asked: float, seconds: float) -> Trial:
    load = subject.load("place", MANY, FILL_SECONDS + seconds)
    window, samples = watch(ours, replace(load, rate=asked), every=0.5)
    filled = [sample for sample in samples if sample.at > FILL_SECONDS]
    subject.drain()
    growth = growth_per_second(filled, lambda sample: sample.backlog.unfinished)
    return Trial(asked, window.rate(201), growth, filled[-1].backlog.unfinished if filled else 0)
