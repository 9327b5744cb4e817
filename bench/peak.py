"""The peak: the highest rate at which orders are worked off as fast as they come in."""

from dataclasses import dataclass

from bench.cells import MANY
from bench.ours import Ours
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


@dataclass(frozen=True)
class Peak:
    rate: float
    trials: list[Trial]


def find_peak(ours: Ours, seconds: float) -> Peak:
    """With the clients that keep it busiest; if the backlog grows then, more slowly, by halving."""
    trials = [_try(ours, 0, seconds)]
    if trials[0].bounded:
        return Peak(trials[0].rate, trials)
    low, high = LOWEST * trials[0].rate, trials[0].rate
    for _ in range(HALVINGS):
        trials.append(_try(ours, (low + high) / 2, seconds))
        low, high = (trials[-1].asked, high) if trials[-1].bounded else (low, trials[-1].asked)
    return Peak(max((trial.rate for trial in trials if trial.bounded), default=0.0), trials)


def _try(ours: Ours, asked: float, seconds: float) -> Trial:
    subject = ours.subject()
    load = subject.load("place", MANY, FILL_SECONDS + seconds)
    window, samples = watch(ours, load.paced(asked), every=0.5)
    filled = [sample for sample in samples if sample.at > FILL_SECONDS]
    subject.drain()
    growth = growth_per_second(filled, lambda sample: sample.unfinished)
    return Trial(asked, window.rate(201), growth, filled[-1].unfinished if filled else 0)
