"""Background loops that never end by accident: an error is logged and the loop goes on after a pause."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

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
        await cancel(tasks)


async def cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Tell them to end, until they do: redis-py swallowed a cancellation that met it reconnecting, and went on for ever."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.5)
