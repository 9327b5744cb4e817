"""Working orders off: thousands of steps side by side in one process, their ends committed in batches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

from chassis.database.transactions import Database
from chassis.problems import Unavailable
from chassis.process.gather import Gather
from chassis.process.logs import Line, about, tell_each
from fulfilment.fulfil_orders import (
    Failure,
    Lost,
    backoff_seconds,
    complete,
    fail,
    pass_point_of_no_return,
    reason_of,
)
from fulfilment.fulfilments import Fulfilment
from fulfilment.step import Step, Waiting

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

AGAIN_SECONDS = 0.5
UNCOUNTED_SECONDS = 30.0


class Fulfilling:
    """The orders that this worker holds in memory.

    Those taken together wait by one timer if waiting is all there is to the step. Any other step has a task for each order.
    """

    def __init__(
        self, database: Database, step: Step, *, step_timeout: float, most_failures: int, most_in_flight: int
    ) -> None:
        self._database = database
        self._step = step
        self._step_timeout = step_timeout
        self._most_failures = most_failures
        self._most_in_flight = most_in_flight
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._waiting: dict[int, Fulfilment] = {}
        self._timers: set[asyncio.Task[None]] = set()
        self._complete: Gather[Fulfilment, bool] = Gather(
            lambda held: database.run(complete, held), at_once=500, waiting=2 * most_in_flight
        )
        self._commit: Gather[Fulfilment, None] = Gather(
            lambda held: database.run(pass_point_of_no_return, held), at_once=500, waiting=2 * most_in_flight
        )

    @property
    def held(self) -> set[int]:
        return self._tasks.keys() | self._waiting.keys()

    async def room(self) -> None:
        """Wait until another batch may be taken."""
        while len(self._tasks) + len(self._waiting) >= self._most_in_flight:
            await asyncio.sleep(0.05)

    def start(self, taken: Iterable[Fulfilment]) -> None:
        rows = list(taken)
        self.drop(row.order_id for row in rows)
        if isinstance(self._step, Waiting) and self._step.seconds <= self._step_timeout:
            self._wait_together(rows, self._step.seconds)
        else:
            for row in rows:
                self._work(row, self._work_off(row))

    def _wait_together(self, rows: Sequence[Fulfilment], seconds: float) -> None:
        self._waiting |= {row.order_id: row for row in rows}
        timer = asyncio.create_task(self._end_together(rows, seconds))
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)

    def _work(self, fulfilment: Fulfilment, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[fulfilment.order_id] = task
        task.add_done_callback(lambda done: self._ended(fulfilment.order_id, done))

    def _ended(self, order_id: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(order_id) is task:
            del self._tasks[order_id]

    def drop(self, order_ids: Iterable[int]) -> None:
        """Stop working on these: they were cancelled, or a later try replaces the one here."""
        for order_id in order_ids:
            self._waiting.pop(order_id, None)
            if (task := self._tasks.pop(order_id, None)) is not None:
                task.cancel()

    async def stop(self) -> None:
        """Leave everything as it is; the rows say what is to be done."""
        tasks = [*self._timers, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._complete.drained()

    async def _end_together(self, rows: Sequence[Fulfilment], seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            held = [row for row in rows if self._waits(row)]
            ends = await asyncio.gather(*map(self._complete.submit, held), return_exceptions=True)
        finally:
            still_held = [row for row in rows if self._waits(row)]
            for row in still_held:
                del self._waiting[row.order_id]
        tell_each(log, logging.INFO, (_processed(row) for row, end in zip(held, ends, strict=True) if end is True))
        for row, end in zip(held, ends, strict=True):
            if isinstance(end, Exception) and row in still_held:
                self._work(row, self._work_off(row, ended=end))

    def _waits(self, row: Fulfilment) -> bool:
        return self._waiting.get(row.order_id) is row

    async def _work_off(self, first: Fulfilment, ended: Exception | None = None) -> None:
        """`ended` is why the completion of its first step failed, if that is over already."""
        held: Fulfilment | None = first
        while held is not None:
            try:
                if ended is None:
                    await self._run_step(held)
                elif not isinstance(ended, Unavailable):
                    raise ended
                if await insist(self._complete, held):
                    tell_each(log, logging.INFO, [_processed(held)])
            except Lost:
                return
            except Exception as error:  # noqa: BLE001 - whatever a step raises is a failed try, and so is an end refused
                held, ended = await self._fail(held, error), None
            else:
                return

    async def _run_step(self, held: Fulfilment) -> None:
        async with asyncio.timeout(self._step_timeout):
            await self._step(held, partial(insist, self._commit, held))

    async def _fail(self, held: Fulfilment, error: Exception) -> Fulfilment | None:
        reason = reason_of(error)
        known = about(held.order_id, held.request_id)
        log.warning("Order #%d: try %d failed: %s", held.order_id, held.fence, reason, extra=known)
        following = await self._count(Failure(held, reason))
        if following is not None:
            await asyncio.sleep(backoff_seconds(following.failures))
        return following

    async def _count(self, failure: Failure) -> Fulfilment | None:
        """Until it is counted the step must not run again, or nothing would bound how often it does."""
        while True:
            try:
                return await insist(self._database.run, fail, failure, self._most_failures)
            except Exception:
                held = failure.held
                known = about(held.order_id, held.request_id)
                log.exception("Order #%d: its failed try can't be counted", held.order_id, extra=known)
                await asyncio.sleep(UNCOUNTED_SECONDS)


def _processed(row: Fulfilment) -> Line:
    return Line(f"Order #{row.order_id} Processed", row.order_id, row.request_id)


async def insist(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Wait for a database that is away: that is no failure of the step."""
    while True:
        try:
            return await call(*args, **kwargs)
        except Unavailable:
            await asyncio.sleep(AGAIN_SECONDS)
