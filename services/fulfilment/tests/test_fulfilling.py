"""Orders in memory: thousands of steps side by side, on a real database."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chassis.database.transactions import Database
from chassis.problems import Unavailable
from fulfilment import fulfil_orders
from fulfilment import fulfilling as fulfilling_module
from fulfilment.fulfil_orders import Lost
from fulfilment.fulfilling import Fulfilling
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import State
from fulfilment.on_order_cancelled import cancel
from fulfilment.on_order_placed import take
from fulfilment.step import Commit, Step, Waiting
from fulfilment.tests.factories import (
    ME,
    OTHER,
    a_fulfilment,
    order_cancelled,
    order_placed,
    outbox_events,
    rows,
    states,
    the_fulfilment,
    told,
    tries,
)
from harness.schemas import Schemas

Start = Callable[..., Fulfilling]


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fulfil_orders, fulfilling_module):
        monkeypatch.setattr(module, "backoff_seconds", lambda failures: 0.01 * failures)
    monkeypatch.setattr(fulfilling_module, "AGAIN_SECONDS", 0.02)


@pytest.fixture
async def working(database: Database) -> AsyncIterator[Start]:
    """Makes what the worker makes of a step; stopped at the end."""
    made: list[Fulfilling] = []

    def make(step: Step, *, timeout: float = 5, most_failures: int = 3, most_in_flight: int = 5000) -> Fulfilling:
        fulfilling = Fulfilling(
            database, step, step_timeout=timeout, most_failures=most_failures, most_in_flight=most_in_flight
        )
        made.append(fulfilling)
        return fulfilling

    yield make
    for fulfilling in made:
        await fulfilling.stop()


async def idle(fulfilling: Fulfilling) -> None:
    async with asyncio.timeout(20):
        while fulfilling.held:
            await asyncio.sleep(0.01)


async def test_an_order_is_processed_and_says_so(
    database: Database, working: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fulfilling = working(Waiting(0.01))

    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert states(database) == {1: "fulfilled"}
    assert told(database) == [("OrderFulfilled", 1, 1)]
    assert "Order #1 Processed" in caplog.messages


async def test_what_is_said_of_an_order_names_the_request_that_placed_it(
    database: Database, working: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failures = iter([RuntimeError("no paper")])

    async def step(_fulfilment: Fulfilment, _commit: Commit) -> None:
        for failure in failures:
            raise failure

    fulfilling = working(step)

    fulfilling.start([a_fulfilment(database, request_id="r-1")])
    await idle(fulfilling)

    [failed, processed] = [record.__dict__ for record in caplog.records]
    assert (failed["order_id"], failed["request_id"]) == (1, "r-1")
    assert [tuple(line) for line in processed["each"]] == [("Order #1 Processed", 1, "r-1")]


async def test_two_thousand_orders_are_in_flight_at_once_and_each_is_fulfilled_once(
    database: Database, working: Start
) -> None:
    events = [order_placed(order_id) for order_id in range(1, 2001)]
    taken = database.transact(take, events, ME)
    at_work, most = 0, 0

    async def step(_fulfilment: Fulfilment, _commit: Commit) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.5)
        at_work -= 1

    fulfilling = working(step)
    fulfilling.start(taken)
    await idle(fulfilling)

    assert most == 2000
    assert rows(database, "SELECT state, COUNT(*) FROM fulfilments GROUP BY state") == [("fulfilled", 2000)]
    assert sorted(order_id for _, order_id, _ in told(database)) == sorted(row.order_id for row in taken)


async def test_a_failing_step_is_tried_again_until_it_succeeds(database: Database, working: Start) -> None:
    runs: list[int] = []

    async def step(fulfilment: Fulfilment, _commit: Commit) -> None:
        runs.append(fulfilment.fence)
        if len(runs) < 3:
            raise RuntimeError("no paper")

    fulfilling = working(step)
    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert runs == [1, 2, 3]
    [event] = outbox_events(database)
    assert event["type"] == "OrderFulfilled"
    assert [(run["result"], run["reason"]) for run in event["tries"]] == [
        ("failed", "RuntimeError: no paper"),
        ("failed", "RuntimeError: no paper"),
        ("fulfilled", None),
    ]


async def test_after_the_last_try_the_order_waits_for_a_person(database: Database, working: Start) -> None:
    async def step(_fulfilment: Fulfilment, _commit: Commit) -> None:
        raise RuntimeError("no paper")

    fulfilling = working(step, most_failures=3)
    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert (the_fulfilment(database).state, the_fulfilment(database).failures) == (State.FAILED, 3)
    assert told(database) == [("FulfilmentFailed", 1, 1)]
    assert [result for _, _, result in tries(database)] == ["failed"] * 3


async def test_a_step_that_never_ends_is_a_failed_try(database: Database, working: Start) -> None:
    fulfilling = working(Waiting(60), timeout=0.05, most_failures=2)

    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    [event] = outbox_events(database)
    assert [(run["result"], run["reason"]) for run in event["tries"]] == [("failed", "TimeoutError")] * 2


async def test_one_failing_order_holds_up_no_other(database: Database, working: Start) -> None:
    async def step(fulfilment: Fulfilment, _commit: Commit) -> None:
        if fulfilment.order_id == 3:
            raise RuntimeError("no paper")

    fulfilling = working(step)
    fulfilling.start([a_fulfilment(database, order_id) for order_id in range(1, 6)])
    await idle(fulfilling)

    assert states(database) == {1: "fulfilled", 2: "fulfilled", 3: "failed", 4: "fulfilled", 5: "fulfilled"}


async def test_an_outside_effect_happens_only_past_the_point_of_no_return(database: Database, working: Start) -> None:
    shipped: list[str] = []

    async def step(fulfilment: Fulfilment, commit: Commit) -> None:
        await commit()
        shipped.append(states(database)[fulfilment.order_id])

    fulfilling = working(step)
    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert shipped == ["committing"]
    assert states(database) == {1: "fulfilled"}


@pytest.mark.parametrize("what", ["cancelled", "overtaken"])
async def test_nothing_is_shipped_after_the_order_was_cancelled_or_overtaken(
    database: Database, working: Start, what: str
) -> None:
    lost: list[Exception] = []

    async def step(_fulfilment: Fulfilment, commit: Commit) -> None:
        if what == "cancelled":
            database.transact(cancel, [order_cancelled()])
        else:
            rows(database, "UPDATE fulfilments SET owner = :other, fence = 2", other=OTHER)
        try:
            await commit()
        except Lost as error:
            lost.append(error)
            raise

    fulfilling = working(step)
    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert len(lost) == 1
    assert the_fulfilment(database).failures == 0
    assert [type_ for type_, _, _ in told(database)] == (["FulfilmentCancelled"] if what == "cancelled" else [])


async def test_a_cancelled_order_in_memory_is_dropped_and_tells_nothing_more(
    database: Database, working: Start
) -> None:
    fulfilling = working(Waiting(0.1))
    fulfilling.start([a_fulfilment(database)])

    database.transact(cancel, [order_cancelled()])
    fulfilling.drop([1])
    await asyncio.sleep(0.2)

    assert fulfilling.held == set()
    assert told(database) == [("FulfilmentCancelled", 1, 2)]


async def test_a_cancel_that_arrives_while_the_worker_has_not_heard_of_it_wins(
    database: Database, working: Start
) -> None:
    fulfilling = working(Waiting(0.05))
    fulfilling.start([a_fulfilment(database)])

    database.transact(cancel, [order_cancelled()])
    await idle(fulfilling)

    assert states(database) == {1: "cancelled"}
    assert told(database) == [("FulfilmentCancelled", 1, 2)]


async def test_a_later_try_of_the_same_order_replaces_the_one_in_memory(database: Database, working: Start) -> None:
    ended: list[int] = []

    async def step(fulfilment: Fulfilment, _commit: Commit) -> None:
        await asyncio.sleep(0.05)
        ended.append(fulfilment.fence)

    fulfilling = working(step)
    first = a_fulfilment(database)
    fulfilling.start([first])
    await asyncio.sleep(0.01)
    rows(database, "UPDATE fulfilments SET fence = 2")
    fulfilling.start([the_fulfilment(database)])
    await idle(fulfilling)

    assert ended == [2]
    assert told(database) == [("OrderFulfilled", 1, 1)]


async def test_orders_taken_together_wait_by_one_timer_and_are_each_fulfilled(
    database: Database, working: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fulfilling = working(Waiting(0.05))
    before = asyncio.all_tasks()

    fulfilling.start([a_fulfilment(database, order_id) for order_id in (1, 2, 3)])
    timers = asyncio.all_tasks() - before
    await idle(fulfilling)

    assert len(timers) == 1
    assert told(database) == [("OrderFulfilled", order_id, 1) for order_id in (1, 2, 3)]
    assert caplog.messages == ["Order #1 Processed\nOrder #2 Processed\nOrder #3 Processed"]


async def test_of_orders_that_wait_together_one_can_be_dropped_or_replaced_by_a_later_try(
    database: Database, working: Start
) -> None:
    fulfilling = working(Waiting(0.1))
    fulfilling.start([a_fulfilment(database, order_id) for order_id in (1, 2, 3)])
    database.transact(cancel, [order_cancelled(1)])
    rows(database, "UPDATE fulfilments SET fence = 2 WHERE order_id = 2")

    fulfilling.drop([1])
    fulfilling.start([the_fulfilment(database, 2)])
    held = fulfilling.held
    await idle(fulfilling)

    assert held == {2, 3}
    assert sorted(told(database)) == [("FulfilmentCancelled", 1, 2), ("OrderFulfilled", 2, 1), ("OrderFulfilled", 3, 1)]
    assert outbox_events(database)[-1]["tries"][-1]["number"] == 2


async def test_of_orders_that_wait_together_one_that_the_database_refuses_fails_alone(
    database: Database, working: Start, schemas: Schemas
) -> None:
    with refused(schemas, "OrderFulfilled", of_order=2):
        fulfilling = working(Waiting(0.01), most_failures=2)
        fulfilling.start([a_fulfilment(database, order_id) for order_id in (1, 2, 3)])
        await idle(fulfilling)

    assert states(database) == {1: "fulfilled", 2: "failed", 3: "fulfilled"}
    assert [result for _, _, result in tries(database, 2)] == ["failed", "failed"]


async def test_an_outcome_is_told_although_the_database_was_away_when_the_step_ended(
    database: Database, working: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    unavailable_times(database, monkeypatch, "complete", 2)
    fulfilling = working(Waiting(0))

    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert told(database) == [("OrderFulfilled", 1, 1)]


async def test_a_failure_is_counted_once_although_the_database_was_away(
    database: Database, working: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def step(fulfilment: Fulfilment, _commit: Commit) -> None:
        if fulfilment.fence == 1:
            raise RuntimeError("no paper")

    unavailable_times(database, monkeypatch, "fail", 2)
    fulfilling = working(step)
    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert (the_fulfilment(database).state, the_fulfilment(database).failures) == (State.FULFILLED, 1)


async def test_a_database_that_is_away_at_the_point_of_no_return_is_not_the_steps_failure(
    database: Database, working: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def step(_fulfilment: Fulfilment, commit: Commit) -> None:
        await commit()

    unavailable_times(database, monkeypatch, "pass_point_of_no_return", 2)
    fulfilling = working(step)
    fulfilling.start([a_fulfilment(database)])
    await idle(fulfilling)

    assert (the_fulfilment(database).state, the_fulfilment(database).failures) == (State.FULFILLED, 0)


def unavailable_times(database: Database, monkeypatch: pytest.MonkeyPatch, work: str, times: int) -> None:
    """The database is away for this work, so many times."""
    run, left = database.run, times

    async def failing(wanted: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if wanted.__name__ == work and left:
            left -= 1
            raise Unavailable("away")
        return await run(wanted, *args, **kwargs)

    monkeypatch.setattr(database, "run", failing)


async def test_stopping_leaves_the_rows_as_they_are_for_the_next_worker(database: Database, working: Start) -> None:
    fulfilling = working(Waiting(60))
    rows_before = [a_fulfilment(database, order_id) for order_id in (1, 2, 3)]
    fulfilling.start(rows_before)
    await asyncio.sleep(0)

    await fulfilling.stop()

    assert fulfilling.held == set()
    assert [the_fulfilment(database, order_id) for order_id in (1, 2, 3)] == rows_before
    assert told(database) == []


async def test_stopping_waits_for_completions_under_way(database: Database, working: Start) -> None:
    fulfilling = working(Waiting(0))
    fulfilling.start([a_fulfilment(database)])
    await asyncio.sleep(0.005)

    await fulfilling.stop()
    now = states(database)
    await asyncio.sleep(0.1)

    assert states(database) == now


async def test_the_number_in_flight_is_bounded(database: Database, working: Start) -> None:
    release = asyncio.Event()

    async def step(_fulfilment: Fulfilment, _commit: Commit) -> None:
        await release.wait()

    fulfilling = working(step, most_in_flight=2)
    fulfilling.start([a_fulfilment(database, order_id) for order_id in (1, 2)])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fulfilling.room(), 0.2)
    release.set()
    await asyncio.wait_for(fulfilling.room(), 5)


@contextmanager
def refused(schemas: Schemas, event: str, of_order: int = 1) -> Iterator[None]:
    """The database takes no event of this kind about this order."""
    schemas.server.execute(
        f"CREATE TRIGGER fulfilment.refuse BEFORE INSERT ON fulfilment.outbox FOR EACH ROW "
        f'IF NEW.payload LIKE "%\\"order_id\\":{of_order},%\\"type\\":\\"{event}\\"%" '
        f'THEN SIGNAL SQLSTATE "45000" SET MESSAGE_TEXT = "refused"; END IF'
    )
    try:
        yield
    finally:
        schemas.server.execute("DROP TRIGGER fulfilment.refuse")


async def test_a_completion_that_the_database_refuses_is_a_failed_try(
    database: Database, working: Start, schemas: Schemas
) -> None:
    with refused(schemas, "OrderFulfilled"):
        fulfilling = working(Waiting(0.01), most_failures=2)
        fulfilling.start([a_fulfilment(database)])
        await idle(fulfilling)

    assert states(database) == {1: "failed"}
    assert [result for _, _, result in tries(database)] == ["failed", "failed"]
    assert "refused" in (the_fulfilment(database).reason or "")


async def test_no_step_runs_again_before_its_failure_is_counted(
    database: Database, working: Start, schemas: Schemas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulfilling_module, "UNCOUNTED_SECONDS", 0.02)
    runs: list[int] = []

    async def step(fulfilment: Fulfilment, _commit: Commit) -> None:
        runs.append(fulfilment.fence)
        raise RuntimeError("no paper")

    fulfilling = working(step, most_failures=1)
    with refused(schemas, "FulfilmentFailed"):
        fulfilling.start([a_fulfilment(database)])
        await asyncio.sleep(0.3)
        assert (runs, fulfilling.held) == ([1], {1})
    await idle(fulfilling)

    assert (runs, states(database)) == ([1], {1: "failed"})
