"""Gathering: calls that arrive while a batch is under way form the next one.

There is no timer: a lone call goes at once, alone. Under load the batches grow by themselves, so that one transaction or one
HTTP call serves many callers.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from chassis.problems import Overloaded, Unavailable

In = TypeVar("In")
Out = TypeVar("Out")

Work = Callable[[list[In]], Awaitable[Sequence[Out | Exception]]]


class Gather(Generic[In, Out]):
    """Awaitable like a function of one item, while `work` sees lists.

    `work` gives one result per item, in order; an exception among them is raised for that item's caller alone. If `work`
    itself raises, the list is halved until the item that breaks it stands alone; only `Unavailable` concerns them all.
    `at_once` bounds a batch by weight (1 an item unless told), `waiting` the calls that may queue: one more is Overloaded.
    `abreast` batches run side by side. A call that was given up before its batch began is dropped; from then on it counts.
    """

    def __init__(
        self,
        work: Work[In, Out],
        *,
        at_once: int = 256,
        waiting: int = 2048,
        abreast: int = 1,
        weight: Callable[[In], int] = lambda _item: 1,
    ) -> None:
        self._work = work
        self._at_once = at_once
        self._most_waiting = waiting
        self._abreast = abreast
        self._weight = weight
        self._queue: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._about_to_start = False

    async def __call__(self, item: In) -> Out:
        return await self.submit(item)

    def submit(self, item: In) -> asyncio.Future[Out]:
        """The result to come. For who brings many items at once: a future each is cheaper than a task each."""
        if len(self._queue) >= self._most_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Out] = loop.create_future()
        self._queue.append((item, future))
        if not self._about_to_start and len(self._running) < self._abreast:
            self._about_to_start = True
            loop.call_soon(self._start)  # after the calls that this turn of the loop still brings
        return future

    def _start(self) -> None:
        self._about_to_start = False
        while len(self._running) < self._abreast and (batch := self._next_batch()):
            # In a context of its own: it serves many callers, and what it logs isn't of the one whose call began it.
            task = asyncio.get_running_loop().create_task(self._settle(batch), context=Context())
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    def _next_batch(self) -> list[tuple[In, asyncio.Future[Out]]]:
        batch: list[tuple[In, asyncio.Future[Out]]] = []
        weight = 0
        while self._queue:
            item, future = self._queue[0]
            if not future.done():
                weight += self._weight(item)
                if batch and weight > self._at_once:
                    break
                batch.append((item, future))
            self._queue.popleft()
        return batch

    def still_waits(self, call: asyncio.Future[Out]) -> bool:
        """Whether its batch has not begun. For a caller who has given up, and must know whether that was in time."""
        return any(future is call for _, future in self._queue)

    async def _settle(self, batch: list[tuple[In, asyncio.Future[Out]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
            assert len(results) == len(batch), "one result per item"
        except Exception as error:  # noqa: BLE001 - it belongs to a caller, who gets it
            if len(batch) > 1 and not isinstance(error, Unavailable):
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
                return
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            _hand_over(future, result)

    async def drained(self) -> None:
        """Wait until nothing is queued or under way."""
        while self._queue or self._running:
            await asyncio.sleep(0.01)


def _hand_over(future: asyncio.Future[Out], result: Out | Exception) -> None:
    if future.done():  # its caller went away; the work counts all the same
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
