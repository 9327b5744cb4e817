"""What a run found: windows by cell, and what was measured in its own way."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.burst import Burst
from bench.cells import Cell
from bench.growth import Growth
from bench.peak import Peak
from bench.soak import Soak
from bench.wrk import Window


@dataclass(frozen=True)
class Spread:
    """One value a round: the median stands for them, the smallest and the largest beside it."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def shown(self, digits: int) -> str:
        low, high = min(self.values), max(self.values)
        text = f"{self.median:,.{digits}f}"
        return text if len(self.values) == 1 else f"{text} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratio(upper: Sequence[float], lower: Sequence[float]) -> Spread | None:
    """Round by round: both were measured within minutes of each other."""
    pairs = [(above, below) for above, below in zip(upper, lower, strict=False) if below]
    return Spread(tuple(above / below for above, below in pairs)) if pairs else None


@dataclass
class Results:
    about: dict[str, Any]
    windows: dict[Cell, list[Window]] = field(default_factory=dict)
    bursts: list[Burst] = field(default_factory=list)
    peak: Peak | None = None
    soak: Soak | None = None
    growth: Growth | None = None

    def add(self, cell: Cell, window: Window) -> None:
        self.windows.setdefault(cell, []).append(window)

    def of(self, subject: str, scenario: str, clients: int) -> list[Window]:
        return self.windows.get(Cell(subject, scenario, clients), [])

    def rates(self, subject: str, scenario: str, clients: int) -> list[float]:
        """Good answers a second, round by round."""
        cell = Cell(subject, scenario, clients)
        return [window.rate(*cell.good) for window in self.windows.get(cell, [])]

    def as_json(self) -> dict[str, Any]:
        windows = {str(cell): [asdict(window) for window in found] for cell, found in self.windows.items()}
        others = {name: getattr(self, name) for name in ("peak", "soak", "growth")}
        measured = {name: asdict(found) for name, found in others.items() if found is not None}
        bursts = [asdict(burst) for burst in self.bursts]
        return {"about": self.about, "windows": windows, "bursts": bursts, **measured}
