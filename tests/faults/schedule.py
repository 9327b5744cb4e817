"""What is broken when: made from a seed alone, so that a run can be played again.

Storm n of a seed is the same whatever came before it, however long the run is.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from faults.proxy import ON_MYSQL, Cut

STORM_SECONDS = 12.0
TURNS = ("crashes", "chance", "crashes", "chance", "calm")
CRASHING = ("catalog-api", "ordering-api", "ordering-worker", "fulfilment-worker", "fulfilment-worker")
LEASE_SECONDS = 10
AWAY_SECONDS = 60.0
AWAY_STORM = 11  # a long one, so it comes once in ten minutes
JUMPS = (-7200, -3600, -61, 61, 3600, 7200)  # longer than anything is set ahead, or a minute


class Kind(StrEnum):
    KILL = "kill"
    FREEZE = "freeze"
    CUT = "cut"
    REDIS_EMPTIED = "Redis emptied"
    REDIS_SECOND_LOST = "Redis's last second lost"
    REPEATED = "repeated and shuffled deliveries"
    POISON = "poison"
    LOCK_WAIT = "lock wait time-out"
    DEADLOCK = "deadlock"
    ROLLING_RESTART = "rolling restart"
    ROW_HELD = "a product's row held"
    REDIS_FULL = "Redis out of memory"
    CONNECTIONS_USED_UP = "connections used up"
    DISK_FULL = "Redis's disk full"
    ROW_HELD_BY_FROZEN = "a row held by a frozen process"
    CLOCK_OF_MYSQL = "the database's clock jumps"
    CLOCK_OF_PROCESS = "a process's clock jumps"
    MYSQL_AWAY = "MySQL away for a minute"


@dataclass(frozen=True)
class Fault:
    """`at` seconds into the storm. `seed` decides what is left to chance inside a fault."""

    at: float
    kind: Kind
    target: str = ""
    seconds: float = 0.0
    how: Cut | None = None
    times: int | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """As it is counted: whatever replica or link it hits."""
        if self.kind is Kind.CUT:
            return f"cut {self.how}"
        if self.kind in {Kind.KILL, Kind.FREEZE}:
            verb = "SIGKILL" if self.kind is Kind.KILL else "SIGSTOP"
            return f"{verb} {self.target.rstrip('-0123456789')}"
        return str(self.kind)

    def __str__(self) -> str:
        words = [
            f"{self.at:5.1f} s",
            self.kind,
            self.target,
            self.how or "",
            f"{self.seconds:.1f} s" if self.seconds else "",
        ]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Storm:
    """`crash_replicas` are restarted again and again, each time to die at the next crash point."""

    number: int
    faults: Sequence[Fault]
    crash_replicas: Sequence[str] = field(default=())

    @property
    def is_calm(self) -> bool:
        """Only rolling restarts: no client may notice anything."""
        return all(fault.kind in {Kind.ROLLING_RESTART, Kind.ROW_HELD} for fault in self.faults)


def storm(seed: int, number: int, processes: Sequence[str], links: Sequence[str]) -> Storm:
    """`processes` and `links` are what there is to break, by name. Crashes, chance, crashes, chance, a calm one, and again."""
    dice = random.Random(f"{seed}/{number}")
    turn = number % len(TURNS)
    if TURNS[turn] == "calm":
        held = Fault(_at(dice), Kind.ROW_HELD, seconds=dice.uniform(3.0, 6.0))
        return Storm(number, [held, *(Fault(0.0, Kind.ROLLING_RESTART, kind) for kind in _kinds(processes))])
    if TURNS[turn] == "crashes":
        crashing = [dice.choice([name for name in processes if name.startswith(kind)]) for kind in CRASHING]
        crashing = list(dict.fromkeys(crashing))
        faults = [*(_cut(dice, links) for _ in range(3)), *_rarer(dice)]
    else:
        crashing = [dice.choice([name for name in processes if name.startswith(CRASHING)])]
        faults = _by_chance(dice, [name for name in processes if name not in crashing], links)
    later = random.Random(f"{seed}/{number}/servers")  # dice of their own: the faults above stay those of older runs
    faults += _of_servers(later)
    latest = random.Random(f"{seed}/{number}/clocks")
    faults += _of_clocks(latest, processes)
    if number % 20 == AWAY_STORM:
        faults.append(Fault(_at(latest), Kind.MYSQL_AWAY, seconds=AWAY_SECONDS))
    return Storm(number, sorted(faults, key=lambda fault: fault.at), crashing)


def _of_servers(dice: random.Random) -> list[Fault]:
    """What servers do beside dying: stand still, or have no room."""
    faults = [
        Fault(_at(dice), Kind.FREEZE, name, dice.uniform(1.0, 5.0))
        for name in ("mysql", "redis")
        if dice.random() < 0.3
    ]
    full = [kind for kind in (Kind.REDIS_FULL, Kind.CONNECTIONS_USED_UP) if dice.random() < 0.4]
    return faults + [Fault(_at(dice), kind, seconds=dice.uniform(1.0, 4.0)) for kind in full]


def _of_clocks(dice: random.Random, processes: Sequence[str]) -> list[Fault]:
    """Time stands still for one that holds a row, jumps for others; and a disk is full."""
    catalog = [name for name in processes if name.startswith("catalog-api")]
    faults = [
        Fault(_at(dice), Kind.DISK_FULL, seconds=dice.uniform(1.0, 4.0)),
        Fault(_at(dice), Kind.ROW_HELD_BY_FROZEN, dice.choice(catalog), dice.uniform(3.0, 6.0)),
        Fault(_at(dice), Kind.CLOCK_OF_MYSQL, seconds=dice.uniform(1.0, 6.0), seed=dice.getrandbits(32)),
        Fault(
            _at(dice), Kind.CLOCK_OF_PROCESS, dice.choice(processes), dice.uniform(1.0, 6.0), seed=dice.getrandbits(32)
        ),
    ]
    return [fault for fault in faults if dice.random() < 0.4]


def _by_chance(dice: random.Random, processes: Sequence[str], links: Sequence[str]) -> list[Fault]:
    return [
        *(_kill(dice, processes) for _ in range(5)),
        _kill(dice, ["mysql", "redis", "gateway"]),
        *(_freeze(dice, [*processes, "gateway"]) for _ in range(dice.randint(1, 2))),
        *(_cut(dice, links) for _ in range(5)),
        *_rarer(dice),
    ]


def _kinds(processes: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(name.rstrip("-0123456789") for name in processes))


def _at(dice: random.Random) -> float:
    return dice.uniform(0.0, STORM_SECONDS)


def _kill(dice: random.Random, names: Sequence[str]) -> Fault:
    return Fault(_at(dice), Kind.KILL, dice.choice(names))


def _freeze(dice: random.Random, names: Sequence[str]) -> Fault:
    """Shorter than the lease, or longer: then others take over what the frozen one holds."""
    long = dice.random() < 0.4
    seconds = dice.uniform(LEASE_SECONDS + 1, LEASE_SECONDS + 4) if long else dice.uniform(0.3, 4.0)
    return Fault(dice.uniform(0.0, STORM_SECONDS / 2), Kind.FREEZE, dice.choice(names), seconds)


def _cut(dice: random.Random, links: Sequence[str]) -> Fault:
    """A commit is lost some times and not for a while, so that the retry gets through or does not."""
    link = dice.choice(links)
    how = dice.choice([cut for cut in Cut if cut not in ON_MYSQL or link.endswith("mysql")])
    times = dice.choice([1, 2, 20]) if how in ON_MYSQL else None
    return Fault(_at(dice), Kind.CUT, link, dice.uniform(0.5, 4.0), how, times)


def _rarer(dice: random.Random) -> list[Fault]:
    kinds = [kind for kind in RARER if dice.random() < RARER[kind]]
    return [Fault(_at(dice), kind, seed=dice.getrandbits(32)) for kind in kinds]


RARER = {
    Kind.REDIS_EMPTIED: 0.35,
    Kind.REDIS_SECOND_LOST: 0.35,
    Kind.REPEATED: 0.6,
    Kind.POISON: 0.6,
    Kind.LOCK_WAIT: 0.5,
    Kind.DEADLOCK: 0.5,
}
