"""The soak: a steady load for long enough that whatever grows shows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from bench.cells import MANY
from bench.ours import Ours
from bench.subject import Subject
from bench.watch import Sample, growth_per_second, watch
from bench.wrk import Window

SHARE_OF_PEAK = 0.7
FLAT = 0.10
GROWING = 0.01  # of the rate: over the last five minutes less than three seconds' worth
OUTBOX_GROWING = 0.25  # of what it holds, in the last half
OLDEST_SECONDS = 30.0  # streams are trimmed every ten


@dataclass(frozen=True)
class Soak:
    asked: float
    window: Window
    samples: list[Sample]

    @property
    def rate(self) -> float:
        return self.window.rate(201)

    @property
    def last_half(self) -> list[Sample]:
        return self.samples[len(self.samples) // 2 :]

    def failures(self) -> list[str]:
        """What isn't as it should be, in words."""
        return [*self._answers(), *self._backlog(), *self._memory()]

    def _answers(self) -> Iterable[str]:
        if self.window.others(201) or self.window.broken:
            yield f"answers other than 201: {self.window.others(201)}, broken {self.window.broken}"
        if self.rate < 0.98 * self.asked:
            yield f"{self.rate:.0f}/s were placed of {self.asked:.0f}/s"

    def _backlog(self) -> Iterable[str]:
        growth = growth_per_second(self.last_half, lambda sample: sample.backlog.unfinished)
        if growth > GROWING * self.rate:
            yield f"the backlog grows by {growth:.0f}/s"
        seconds = self.last_half[-1].at - self.last_half[0].at
        batches = growth_per_second(self.last_half, lambda sample: sample.backlog.outbox) * seconds
        if batches > OUTBOX_GROWING * median(sample.backlog.outbox for sample in self.last_half):
            yield f"the outboxes grow by {batches:.0f} batches in {seconds:.0f} s"
        oldest = max(sample.backlog.stream_seconds for sample in self.last_half)
        if oldest > OLDEST_SECONDS:
            yield f"the streams are not trimmed: an entry of {oldest:.0f} s"

    def _memory(self) -> Iterable[str]:
        """How far the memory of each process goes from its median in the last half."""
        for name in self.samples[0].memory_mb:
            values = [sample.memory_mb[name] for sample in self.last_half]
            spread = max(max(values) / median(values) - 1, 1 - min(values) / median(values))
            if spread > FLAT:
                yield f"the memory of {name} varies by {spread:.0%}"


def soak(ours: Ours, subject: Subject, peak: float, seconds: float) -> Soak:
    asked = SHARE_OF_PEAK * peak
    load = replace(subject.load("place", MANY, seconds), rate=asked)
    window, samples = watch(ours, load, every=max(1.0, seconds / 200))
    subject.drain()
    return Soak(asked, window, samples)
