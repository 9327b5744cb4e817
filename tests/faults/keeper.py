"""Keeps the children running, as a supervisor would, and writes down how each of them died."""

import asyncio
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from faults.children import Breakable

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Death:
    name: str
    kind: str
    why: str | None
    status: int

    armed_with: str | None = None
    asked_to_go: bool = False

    @property
    def expected(self) -> bool:
        """An armed one is expected to die by its own SIGKILL, and in no other way, but to go when it is asked to."""
        if self.why is not None and self.why == self.armed_with:
            return self.status == -signal.SIGKILL or (self.asked_to_go and self.status == 0)
        return self.why is not None

    @property
    def by_kill(self) -> bool:
        """The gateway's wrapper tells of its child's SIGKILL with status 9."""
        return self.status in {-signal.SIGKILL, int(signal.SIGKILL)}


class Keeper:
    """`on_death` is told of every death; `before_start` may still change a child, such as arm it with a crash point."""

    def __init__(self, children: Iterable[Breakable]) -> None:
        self.children = {child.name: child for child in children}
        self.deaths: list[Death] = []
        self.on_death: Callable[[Breakable, Death], None] = lambda _child, _death: None
        self.before_start: Callable[[Breakable], None] = lambda _child: None
        self._noted: set[tuple[str, float]] = set()

    async def run(self) -> None:
        while True:
            for child in self.children.values():
                self._look_after(child)
            await asyncio.sleep(LOOK_SECONDS)

    def _look_after(self, child: Breakable) -> None:
        status = child.status
        if status is None:
            return
        life = (child.name, child.started_at)
        if life not in self._noted:
            self._noted.add(life)
            death = Death(child.name, child.kind, child.expected_end, status, child.armed_with, child.asked_to_go)
            self.deaths.append(death)
            self.on_death(child, death)
        if not child.held_down:
            child.extra.clear()
            self.before_start(child)
            child.start()
