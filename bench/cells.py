"""What is measured in every round: who, doing what, with how many clients."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GOOD = {"place": (201,), "hot": (201,), "soldout": (400,), "read": (200,), "mix": (200, 201)}
SUBJECTS = ("static", "noop", "noop behind gateway", "usual", "ours")
CLIENTS = (1, 32, 128, 512)
MANY = 128


@dataclass(frozen=True, order=True)
class Cell:
    subject: str
    scenario: str
    clients: int

    def __str__(self) -> str:
        return f"{self.subject} {self.scenario} {self.clients}"

    @property
    def load(self) -> str:
        return f"{self.subject}, {self.scenario}"

    @property
    def good(self) -> tuple[int, ...]:
        return GOOD[self.scenario]


def _cells(subjects: Sequence[str], scenario: str, clients: Sequence[int] = (MANY,)) -> list[Cell]:
    return [Cell(subject, scenario, n) for subject in subjects for n in clients]


# By the names that --only takes. Each holds everything its ratios are made of.
SCENARIOS: dict[str, list[Cell]] = {
    "generator": _cells(("static",), "place") + _cells(("static",), "read") + _cells(("noop",), "place"),
    "cpu": _cells(("noop", "ours"), "place"),
    "gateway": _cells(("noop", "noop behind gateway", "ours"), "place"),
    "placing": _cells(("noop", "usual", "ours"), "place", (32, MANY)),
    "hot": _cells(("usual", "ours"), "hot") + _cells(("noop", "usual", "ours"), "place"),
    "soldout": _cells(("ours",), "soldout") + _cells(("ours",), "place"),
    "reads": _cells(("noop", "ours"), "read"),
    "mix": _cells(("ours",), "mix") + _cells(("noop",), "place"),
    "lone": _cells(("noop", "usual", "ours"), "place", (1,)),
    "clients": _cells(("noop", "usual", "ours"), "place", CLIENTS),
    "overload": _cells(("ours",), "place", (512,)),
}

# Measured once a run or in their own way, after the rounds.
OTHERS = ("burst", "peak", "soak", "growth")


def chosen(names: Iterable[str]) -> list[Cell]:
    """Each once, grouped by subject, so that a subject starts once a round."""
    cells = {cell for name in names for cell in SCENARIOS.get(name, [])}
    order = list(GOOD)
    return sorted(cells, key=lambda cell: (SUBJECTS.index(cell.subject), order.index(cell.scenario), cell.clients))
