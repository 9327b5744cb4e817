"""Background loops that never end by accident: an error is logged and the loop goes on after a pause."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from chassis.problems import Unavailable

log = logging.getLogger(__name__)

PAUSE_AFTER_ERROR = 0.5


@dataclass(frozen=True)
class Loop:
    """Calls `turn` again and again, `pause` seconds apart; a turn that returns True found work, and the next comes at once."""

    turn: Callable[[], Awaitable[bool | None]]
    pause: float

    @property
    def name(self) -> str:
        turn = self.turn.func if isinstance(self.turn, partial) else self.turn
        return getattr(turn, "__qualname__", repr(turn))

    async def run(self) -> None:
        name = self.name
        while True:
            try:
                busy = await self.turn()
            except Unavailable as error:  # expected while a server is away, and said by those who know which
                log.warning("%s: %s", name, error.detail)
                busy = False
                await asyncio.sleep(PAUSE_AFTER_ERROR)
            except Exception:
                log.exception("%s failed", name)
                busy = False
                await asyncio.sleep(PAUSE_AFTER_ERROR)
            if not busy:
                await asyncio.sleep(self.pause)


@asynccontextmanager
async def running(loops: Sequence[Loop]) -> AsyncIterator[None]:
    """The loops run while the block does, and are cancelled and awaited after it."""
    tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
