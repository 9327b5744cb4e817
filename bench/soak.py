"""The soak: a steady load for long enough that whatever grows shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.cells import MANY
from bench.ours import Ours
from bench.peak import Peak
from bench.watch import Sample, growth_per_second, watch
from bench.wrk import Window

SHARE_OF_PEAK = 0.7
FLAT = 0.10
GROWING = 0.01  # of the rate: over the last five minutes less than three seconds' worth
LONGEST_STREAMS_SECONDS = 30.0  # trimmed every ten


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
        growth = growth_per_second(self.last_half, lambda sample: sample.unfinished)
        if growth > GROWING * self.rate:
            yield f"the backlog grows by {growth:.0f}/s"
        if max(sample.unsent for sample in self.last_half) > LONGEST_STREAMS_SECONDS * self.rate:
            yield "the outboxes hold too much"
        if max(sample.stream_entries for sample in self.last_half) > 2 * LONGEST_STREAMS_SECONDS * self.rate:
            yield "the streams are not trimmed"

    def _memory(self) -> Iterable[str]:
        for name, spread in self.memory_spread().items():
            if spread > FLAT:
                yield f"the memory of {name} varies by {spread:.0%}"

    def memory_spread(self) -> dict[str, float]:
        """By process: how far its memory goes from its median in the last half, as a share of that."""
        spreads = {}
        for name in self.samples[0].memory_mb:
            values = [sample.memory_mb[name] for sample in self.last_half]
            spreads[name] = max(max(values) / median(values) - 1, 1 - min(values) / median(values))
        return spreads


def soak(ours: Ours, peak: Peak, seconds: float) -> Soak:
    asked = SHARE_OF_PEAK * peak.rate
    subject = ours.subject()
    load = subject.load("place", MANY, seconds).paced(asked)
    window, samples = watch(ours, load, every=max(1.0, seconds / 200))
    subject.drain()
    return Soak(asked, window, samples)
