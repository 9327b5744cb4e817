"""Calls that arrive while a batch is under way form the next one."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.problems import NotFound, Overloaded, Unavailable
from chassis.process.gather import Gather


class Recorder:
    """Work that notes each batch and answers an item with itself; `wait` holds it up until it is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def __call__(self, items: list[int]) -> Sequence[int | Exception]:
        self.batches.append(items)
        await self.may_go.wait()
        return items


async def let_others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_lone_call_goes_at_once_and_alone() -> None:
    work = Recorder()
    gather = Gather(work)

    answers = [await gather(1), await gather(2)]

    assert answers == [1, 2]
    assert work.batches == [[1], [2]]


async def test_calls_of_one_moment_share_a_batch() -> None:
    work = Recorder()
    gather = Gather(work)

    await asyncio.gather(*(gather(n) for n in range(5)))

    assert work.batches == [[0, 1, 2, 3, 4]]


async def test_calls_that_arrive_during_a_batch_form_the_next_one_in_order_of_arrival() -> None:
    work = Recorder()
    gather = Gather(work)
    work.may_go.clear()

    calls = [asyncio.create_task(gather(1))]
    await let_others_run()
    for n in (2, 3, 4):
        calls.append(asyncio.create_task(gather(n)))
        await let_others_run()
    work.may_go.set()
    answers = await asyncio.gather(*calls)

    assert answers == [1, 2, 3, 4]
    assert work.batches == [[1], [2, 3, 4]]


async def test_two_batches_run_side_by_side_when_told() -> None:
    work = Recorder()
    gather = Gather(work, abreast=2)
    work.may_go.clear()

    calls = []
    for n in (1, 2, 3):
        calls.append(asyncio.create_task(gather(n)))
        await let_others_run()
    under_way = list(work.batches)
    work.may_go.set()
    await asyncio.gather(*calls)

    assert under_way == [[1], [2]]
    assert work.batches == [[1], [2], [3]]


async def test_an_exception_among_the_results_is_its_own_callers_alone() -> None:
    async def work(items: list[int]) -> list[int | Exception]:
        return [NotFound("no 2") if n == 2 else n for n in items]

    gather = Gather(work)

    first, second, third = await asyncio.gather(*(gather(n) for n in (1, 2, 3)), return_exceptions=True)

    assert (first, third) == (1, 3)
    assert isinstance(second, NotFound)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_items_that_break_a_batch_fail_alone_whichever_they_are(broken: list[bool]) -> None:
    async def work(items: list[int]) -> list[int]:
        if any(broken[n] for n in items):
            raise ValueError("this batch holds a bad one")
        return items

    async def call_all() -> list[int | BaseException]:
        gather = Gather(work)
        return await asyncio.gather(*(gather(n) for n in range(len(broken))), return_exceptions=True)

    answers = asyncio.run(call_all())

    assert [isinstance(answer, ValueError) for answer in answers] == broken
    assert [answer for answer in answers if isinstance(answer, int)] == [n for n, bad in enumerate(broken) if not bad]


async def test_unavailable_concerns_the_whole_batch_and_is_not_halved() -> None:
    batches: list[list[int]] = []

    async def work(items: list[int]) -> list[int]:
        batches.append(items)
        raise Unavailable("catalog is away")

    gather = Gather(work)

    answers = await asyncio.gather(*(gather(n) for n in range(4)), return_exceptions=True)

    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert batches == [[0, 1, 2, 3]]


async def test_a_result_too_few_fails_its_item_instead_of_hanging_a_caller() -> None:
    async def work(items: list[int]) -> list[int]:
        return items[1:]

    with pytest.raises(AssertionError):
        await asyncio.wait_for(Gather(work)(1), 5)


async def test_more_calls_than_may_wait_are_refused_at_once_and_the_others_answered() -> None:
    work = Recorder()
    gather = Gather(work, waiting=2)
    work.may_go.clear()

    under_way = asyncio.create_task(gather(0))
    await let_others_run()
    waiting = [asyncio.create_task(gather(n)) for n in (1, 2)]
    await let_others_run()
    with pytest.raises(Overloaded):
        await gather(3)
    work.may_go.set()

    assert await asyncio.gather(under_way, *waiting) == [0, 1, 2]


async def test_a_caller_that_goes_away_neither_stops_the_batch_nor_hurts_the_others() -> None:
    work = Recorder()
    gather = Gather(work)
    work.may_go.clear()

    leaving, staying = asyncio.create_task(gather(1)), asyncio.create_task(gather(2))
    await let_others_run()
    leaving.cancel()
    await let_others_run()
    work.may_go.set()

    assert await staying == 2
    assert leaving.cancelled()
    assert work.batches == [[1, 2]]


@given(
    st.lists(st.integers(min_value=1, max_value=12), min_size=1, max_size=60), st.integers(min_value=1, max_value=30)
)
def test_batches_keep_the_order_and_stay_below_their_weight(weights: list[int], at_once: int) -> None:
    batches: list[list[int]] = []

    async def work(items: list[int]) -> list[int]:
        batches.append(items)
        return items

    async def call_all() -> None:
        gather = Gather(work, at_once=at_once, weight=lambda n: weights[n])
        await asyncio.gather(*(gather(n) for n in range(len(weights))))

    asyncio.run(call_all())

    assert [n for batch in batches for n in batch] == list(range(len(weights)))
    assert all(sum(weights[n] for n in batch) <= at_once or len(batch) == 1 for batch in batches)


async def test_drained_returns_once_nothing_waits_or_runs() -> None:
    work = Recorder()
    gather = Gather(work)
    work.may_go.clear()
    calls = [asyncio.create_task(gather(n)) for n in (1, 2)]
    await let_others_run()

    drained = asyncio.create_task(gather.drained())
    await let_others_run()
    before = drained.done()
    work.may_go.set()
    await asyncio.wait_for(drained, 5)

    assert not before
    assert [call.done() for call in calls] == [True, True]


async def test_what_nobody_waits_for_any_more_and_was_not_begun_is_not_begun() -> None:
    work = Recorder()
    gather = Gather(work)
    work.may_go.clear()
    calls = [asyncio.create_task(gather(1))]
    await let_others_run()
    calls += [asyncio.create_task(gather(n)) for n in (2, 3, 4)]
    await let_others_run()

    calls[2].cancel()
    work.may_go.set()
    await asyncio.gather(*calls, return_exceptions=True)

    assert work.batches == [[1], [2, 4]]


async def test_nothing_is_begun_for_nobody() -> None:
    work = Recorder()
    gather = Gather(work)
    work.may_go.clear()
    calls = [asyncio.create_task(gather(n)) for n in (1,)]
    await let_others_run()
    calls.append(asyncio.create_task(gather(2)))
    await let_others_run()

    calls[1].cancel()
    work.may_go.set()
    await gather.drained()

    assert work.batches == [[1]]
    assert await gather(3) == 3
