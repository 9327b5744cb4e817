"""Every named crash point, hit in turn: a replica is started to die there, and its exit status says whether it did."""

import asyncio
import math
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from faults.children import Breakable
from faults.keeper import Death

SETTLING_IN_SECONDS = 2.0
HITS_EACH = 5
LONGEST_SECONDS = 40.0


@dataclass(frozen=True)
class Point:
    """`within` seconds it is expected to come by; `stimulus` is what makes it, where the load alone doesn't."""

    name: str
    within: float = 12.0
    stimulus: str = ""


def _both(*transactions: str, within: float = 12.0, stimulus: str = "") -> list[Point]:
    return [Point(f"{name}.{when}_commit", within, stimulus) for name in transactions for when in ("before", "after")]


def _around(*places: str) -> list[Point]:
    return [Point(name) for name in places]


CATALOG_CALL = _around("catalog_call.before", "catalog_call.after")
RELAY = [*_both("claim_new"), *_around("relay.before_xadd", "relay.after_xadd")]
CONSUMER = [*_around("consumer.before_ack", "consumer.after_ack"), *_both("bury", stimulus="poison")]
HEARTBEAT = [*_both("record"), *_both("remove", stimulus="SIGTERM")]

POINTS: dict[str, list[Point]] = {
    "catalog-api": _both("recorded", "reserve", "release"),
    "ordering-api": [
        *_both("accept", "decide_pending", "cancel"),
        *_both("redrive", "announce", within=25.0),
        *CATALOG_CALL,
    ],
    "ordering-worker": [
        *RELAY,
        *_both("claim_due", "remove_answered", within=25.0),  # seldom, so early: what is missed is tried again
        *CONSUMER,
        *HEARTBEAT,
        *CATALOG_CALL,
        *_both("claim_overdue", "follow", "released"),
        *_both("begin_anew", "make_due", within=20.0, stimulus="Redis emptied"),
    ],
    "fulfilment-worker": [
        *RELAY,
        *_both("remove_sent"),
        *CONSUMER,
        *HEARTBEAT,
        *_both("receive", "complete", "pass_point_of_no_return", "fail"),
        *_both("take_over", within=25.0, stimulus="others frozen"),
    ],
}


@dataclass
class Campaign:
    """Arms the replicas of a storm whenever they start, until every point was hit. Which hit of a point counts is diced."""

    dice: random.Random
    stimulate: Callable[[Breakable, str], None]
    hit: Counter[str] = field(default_factory=Counter)
    armed: Counter[str] = field(default_factory=Counter)
    _left: dict[str, deque[Point]] = field(
        default_factory=lambda: {kind: deque(points) for kind, points in POINTS.items()}
    )
    _replicas: Sequence[str] = ()
    _hit_by: Counter[str] = field(default_factory=Counter)  # in this storm
    _now: dict[str, Point] = field(default_factory=dict)
    _stimulated: set[str] = field(default_factory=set)
    _listens_since: dict[int, float] = field(default_factory=dict)

    @property
    def all(self) -> list[str]:
        return [f"{kind} {point.name}" for kind, points in POINTS.items() for point in points]

    @property
    def missed(self) -> list[str]:
        return [name for name in self.all if not self.hit[name]]

    def arm(self, child: Breakable) -> None:
        """Called before each start."""
        self._now.pop(child.name, None)
        self._stimulated.discard(child.name)
        if child.name in self._replicas and self._left[child.kind]:
            point = self._left[child.kind].popleft()
            self._now[child.name] = point
            self.armed[f"{child.kind} {point.name}"] += 1
            child.extra["CRASH_POINT"] = f"{point.name}:{self.dice.choice([1, 1, 2]) if not point.stimulus else 1}"

    def died(self, child: Breakable, death: Death) -> None:
        """Only a SIGKILL that nobody but the process itself sent is a hit. A miss is tried again later."""
        point = self._now.pop(child.name, None)
        if point is None:
            return
        name = f"{child.kind} {point.name}"
        if death.why == child.armed_with and death.status == -signal.SIGKILL:
            self.hit[name] += 1
            self._hit_by[child.name] += 1
        else:
            self._left[child.kind].append(point)

    async def run(self, children: Iterable[Breakable], seconds: float) -> None:
        """Storm through the points of these replicas; whoever is still armed at the end is killed and starts clean."""
        armed = list(children)
        self._replicas = [child.name for child in armed]
        began, self._hit_by = time.monotonic(), Counter()
        for child in armed:
            child.kill()
        while (age := time.monotonic() - began) < LONGEST_SECONDS:
            for child in armed:
                self._attend(child)
            if age > seconds and all(self._has_enough(child) for child in armed):
                break
            await asyncio.sleep(0.05)
        self._replicas = ()
        for child in armed:
            if child.armed_with:
                child.kill()

    def _has_enough(self, child: Breakable) -> bool:
        nothing_left = not self._left[child.kind] and child.name not in self._now
        return nothing_left or self._hit_by[child.name] >= HITS_EACH

    def _attend(self, child: Breakable) -> None:
        point = self._now.get(child.name)
        if point is None or not child.runs:
            return
        if self._seconds_at_work(child) > point.within:
            child.kill()
        elif point.stimulus and self._seconds_at_work(child) > 0 and child.name not in self._stimulated:
            self._stimulated.add(child.name)
            self.stimulate(child, point.stimulus)

    def _seconds_at_work(self, child: Breakable) -> float:
        """Below 0 while it starts, which takes a busy machine long; before that a SIGTERM would simply end it."""
        listens = f'"pid":{child.pid},"logger":"chassis.process.serve","message":"listening on'
        if child.pid not in self._listens_since and listens in child.log_text():
            self._listens_since[child.pid] = time.monotonic() + SETTLING_IN_SECONDS
        return time.monotonic() - self._listens_since.get(child.pid, math.inf)
