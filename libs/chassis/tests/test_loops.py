"""A background loop never ends by accident, and always when told to."""

import asyncio

import pytest

from chassis.problems import Unavailable
from chassis.process import loops
from chassis.process.loops import Loop, running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "PAUSE_AFTER_ERROR", 0.001)


async def until_more_than(turns: list[int], number: int) -> None:
    async with asyncio.timeout(20):
        while len(turns) <= number:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("error", [Unavailable("Redis is away"), LookupError("a defect")])
async def test_an_error_does_not_end_it(error: Exception) -> None:
    turns: list[int] = []

    async def turn() -> None:
        turns.append(1)
        raise error

    async with running([Loop(turn, 0.001)]):
        await until_more_than(turns, 3)


async def test_who_found_work_is_asked_again_at_once() -> None:
    turns: list[int] = []

    async def turn() -> bool:
        turns.append(1)
        await asyncio.sleep(0)
        return len(turns) < 10

    async with running([Loop(turn, 3600)]):
        await until_more_than(turns, 9)
        await asyncio.sleep(0.01)

    assert len(turns) == 10


async def test_it_ends_although_a_turn_swallows_the_first_cancellation() -> None:
    swallowed: list[int] = []

    async def turn() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            swallowed.append(1)
            if len(swallowed) > 1:
                raise

    loop = Loop(turn, 3600)
    async with asyncio.timeout(20):
        async with running([loop]):
            await asyncio.sleep(0.01)

    assert swallowed
    assert [task for task in asyncio.all_tasks() if task.get_name() == loop.name] == []
