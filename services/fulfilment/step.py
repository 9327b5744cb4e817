"""The processing step: the one place where a real carrier or warehouse would be called.

Put a function of your own in its place, in `worker.py`. It may run again after a crash or a failure, so an outside effect
must be keyed by the order id; and it must first `await commit()`, the point of no return: until then a cancel comes in time,
from then on it doesn't. Raise to fail this try; it is tried again with growing pauses, and after the last try the order
waits for a person.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fulfilment.fulfilments import Fulfilment

Commit = Callable[[], Awaitable[None]]
Step = Callable[[Fulfilment, Commit], Awaitable[None]]


@dataclass(frozen=True)
class Waiting:
    """A step that takes its time and has no outside effect: its completion is its point of no return."""

    seconds: float

    async def __call__(self, _fulfilment: Fulfilment, _commit: Commit) -> None:
        await asyncio.sleep(self.seconds)
