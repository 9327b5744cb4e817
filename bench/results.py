"""What a run found: windows by cell, and what was measured in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.burst import Burst
from bench.cells import MANY, Cell
from bench.growth import Growth
from bench.peak import Trial
from bench.soak import Soak
from bench.wrk import Window


def shown(values: Sequence[float], digits: int) -> str:
    """One value a round: the median stands for them, the smallest and the largest behind it."""
    if not values:
        return "-"
    text = f"{median(values):,.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratio(upper: Sequence[float], lower: Sequence[float]) -> list[float]:
    """Round by round: both were measured within minutes of each other."""
    return [above / below for above, below in zip(upper, lower, strict=False) if below]


@dataclass
class Results:
    about: dict[str, Any]
    windows: dict[Cell, list[Window]] = field(default_factory=dict)
    bursts: list[Burst] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    soak: Soak | None = None
    growth: Growth | None = None

    def add(self, cell: Cell, window: Window) -> None:
        self.windows.setdefault(cell, []).append(window)

    def of(self, subject: str, scenario: str, clients: int = MANY) -> list[Window]:
        return self.windows.get(Cell(subject, scenario, clients), [])

    def rates(self, subject: str, scenario: str, clients: int = MANY) -> list[float]:
        """Good answers a second, round by round."""
        cell = Cell(subject, scenario, clients)
        return [window.rate(*cell.good) for window in self.windows.get(cell, [])]
