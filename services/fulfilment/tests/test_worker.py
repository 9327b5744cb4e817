"""The worker: an entry is acknowledged when its order is durably taken over, and what it owns it works on."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from chassis.database.transactions import Database
from chassis.messaging import consumer as consumer_module
from chassis.messaging import streams
from chassis.messaging.consumer import Consumer, Entry
from chassis.problems import Unavailable
from chassis.process import heartbeat as heartbeat_module
from chassis.process.heartbeat import Heartbeat
from contracts.batches import seal
from contracts.events import OrderingEvent, ordering_events
from contracts.streams import ORDERING, PAYLOAD_FIELD
from fulfilment.fulfilling import Fulfilling
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import dead_letters, workers
from fulfilment.step import Commit
from fulfilment.tests.factories import (
    OTHER,
    a_fulfilment,
    order_cancelled,
    order_placed,
    rows,
    states,
    the_fulfilment,
)
from fulfilment.worker import Worker, receive


class Steps:
    """Runs that end when the test says so."""

    def __init__(self) -> None:
        self.began: list[tuple[int, int]] = []
        self.may_end = asyncio.Event()

    async def __call__(self, fulfilment: Fulfilment, _commit: Commit) -> None:
        self.began.append((fulfilment.order_id, fulfilment.fence))
        await self.may_end.wait()


@pytest.fixture
async def steps() -> Steps:
    return Steps()


@pytest.fixture
async def fulfilling(database: Database, steps: Steps) -> AsyncIterator[Fulfilling]:
    fulfilling = Fulfilling(database, steps, step_timeout=20, most_failures=2, most_in_flight=4)
    yield fulfilling
    await fulfilling.stop()


@pytest.fixture
async def heartbeat(database: Database) -> Heartbeat:
    heartbeat = Heartbeat(database, workers, "a host")
    await heartbeat.beat()
    return heartbeat


@pytest.fixture
async def worker(database: Database, heartbeat: Heartbeat, fulfilling: Fulfilling) -> Worker:
    return Worker(database, heartbeat, fulfilling)


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def consumer(
    database: Database, worker: Worker, redis_url: str, redis_client: Redis
) -> AsyncIterator[Consumer[OrderingEvent]]:
    """As the worker has it, handed entries by the test."""
    broker = streams.broker(redis_url)
    await streams.ensure_group(redis_client, ORDERING.name, "fulfilment")
    yield Consumer(
        broker=broker,
        client=redis_client,
        stream=ORDERING,
        group="fulfilment",
        read=ordering_events.batch,
        handle=worker.handle,
        database=database,
        letters=dead_letters,
    )
    await broker.stop()


async def delivered(client: Redis, *payloads: bytes) -> list[Entry]:
    """Entries read for the group, so pending until they are acknowledged."""
    for payload in payloads:
        await client.xadd(ORDERING.name, {PAYLOAD_FIELD: seal([payload])})
    read: Any = await client.xreadgroup("fulfilment", "a consumer", {ORDERING.name: ">"})
    [(_, entries)] = read
    return list(entries)


async def pending(client: Redis) -> int:
    found = await client.xpending(ORDERING.name, "fulfilment")
    return int(found["pending"])


def payload(event: OrderingEvent) -> bytes:
    return orjson.dumps(event)


async def began(steps: Steps, count: int) -> None:
    async with asyncio.timeout(10):
        while len(steps.began) < count:
            await asyncio.sleep(0.01)


async def test_taken_orders_are_owned_durably_and_run(
    database: Database, worker: Worker, heartbeat: Heartbeat, steps: Steps
) -> None:
    await worker.handle([order_placed(1), order_placed(2)])
    await began(steps, 2)

    assert sorted(steps.began) == [(1, 1), (2, 1)]
    assert {the_fulfilment(database, order_id).owner for order_id in (1, 2)} == {heartbeat.id}


async def test_an_entry_is_acknowledged_only_after_its_order_is_committed(
    database: Database, consumer: Consumer[OrderingEvent], redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = await delivered(redis_client, payload(order_placed(1)))
    may_commit = threading.Event()

    def slow_receive(*args: Any) -> Any:
        received = receive(*args)
        may_commit.wait(10)
        return received

    monkeypatch.setattr("fulfilment.worker.receive", slow_receive)
    dealing = asyncio.create_task(consumer.deal_with(entries))
    await asyncio.sleep(0.2)
    before_the_commit = await pending(redis_client)
    may_commit.set()
    await asyncio.wait_for(dealing, 10)

    assert before_the_commit == 1
    assert (await pending(redis_client), states(database)) == (0, {1: "processing"})


async def test_an_entry_whose_commit_failed_stays_pending(
    database: Database, consumer: Consumer[OrderingEvent], redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = await delivered(redis_client, payload(order_placed(1)))

    def dying_receive(*args: Any) -> Any:
        receive(*args)
        raise asyncio.CancelledError

    monkeypatch.setattr("fulfilment.worker.receive", dying_receive)

    with pytest.raises(asyncio.CancelledError):
        await consumer.deal_with(entries)

    assert await pending(redis_client) == 1
    assert states(database) == {}


async def test_without_a_fresh_heartbeat_nothing_is_taken(
    database: Database, fulfilling: Fulfilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Worker(database, Heartbeat(database, workers, "a host"), fulfilling)

    for attempt in (late.handle([order_placed()]), late.take_over_orphans()):
        with pytest.raises(Unavailable):
            await attempt

    assert states(database) == {}


async def test_a_cancelled_order_stops_running(
    database: Database, worker: Worker, fulfilling: Fulfilling, steps: Steps
) -> None:
    await worker.handle([order_placed(1), order_placed(2)])
    await began(steps, 2)

    await worker.handle([order_cancelled(1)])

    assert fulfilling.held == {2}
    assert states(database) == {1: "cancelled", 2: "processing"}


async def test_an_order_cancelled_in_its_own_batch_never_runs(
    worker: Worker, fulfilling: Fulfilling, steps: Steps
) -> None:
    await worker.handle([order_placed(1), order_cancelled(1), order_placed(2)])
    await began(steps, 1)

    assert steps.began == [(2, 1)]
    assert fulfilling.held == {2}


async def test_a_repeat_delivery_starts_no_second_run(worker: Worker, steps: Steps) -> None:
    await worker.handle([order_placed(1)])
    await worker.handle([order_placed(1), order_placed(1)])
    await began(steps, 1)
    await asyncio.sleep(0.05)

    assert steps.began == [(1, 1)]


async def test_a_full_worker_leaves_what_comes_in_the_stream(database: Database, worker: Worker, steps: Steps) -> None:
    await worker.handle([order_placed(order_id) for order_id in range(1, 5)])
    waiting = asyncio.create_task(worker.handle([order_placed(5)]))
    await asyncio.sleep(0.2)
    while_full = states(database)

    steps.may_end.set()
    await asyncio.wait_for(waiting, 10)

    assert sorted(while_full) == [1, 2, 3, 4]
    assert sorted(states(database)) == [1, 2, 3, 4, 5]


async def test_orphans_are_run_by_who_takes_them_over(
    database: Database, worker: Worker, heartbeat: Heartbeat, steps: Steps
) -> None:
    a_fulfilment(database, owner=OTHER)

    more = await worker.take_over_orphans()
    await began(steps, 1)

    assert more
    assert steps.began == [(1, 2)]
    assert the_fulfilment(database).owner == heartbeat.id
    assert not await worker.take_over_orphans()


async def test_a_row_of_ours_that_no_task_works_on_is_given_back_to_work(
    database: Database, worker: Worker, heartbeat: Heartbeat, fulfilling: Fulfilling, steps: Steps
) -> None:
    a_fulfilment(database, owner=heartbeat.id)

    await worker.give_back()
    after_one_look = fulfilling.held
    await worker.give_back()
    await began(steps, 1)
    await worker.give_back()
    await worker.give_back()

    assert after_one_look == set(), "its task may be about to start"
    assert steps.began == [(1, 1)]


async def test_a_row_whose_task_is_at_work_is_not_given_back(worker: Worker, steps: Steps) -> None:
    await worker.handle([order_placed(1)])
    await began(steps, 1)

    for _ in range(3):
        await worker.give_back()

    assert steps.began == [(1, 1)]


async def test_the_rows_of_others_are_not_given_back(database: Database, worker: Worker, steps: Steps) -> None:
    a_fulfilment(database, owner=OTHER)

    for _ in range(3):
        await worker.give_back()

    assert steps.began == []


async def test_a_restarted_worker_does_not_take_itself_for_the_one_that_died(
    database: Database, heartbeat: Heartbeat
) -> None:
    again = Heartbeat(database, workers, "a host")
    await again.beat()

    assert again.id != heartbeat.id


async def test_poison_is_buried_and_acknowledged_and_its_neighbours_are_taken(
    database: Database, consumer: Consumer[OrderingEvent], redis_client: Redis
) -> None:
    poison = [b"", b"\xff\xfe", b"{", b"null", b'{"type": "OrderPlaced"}', b'{"type": "Unheard", "order_id": 1}']
    entries = await delivered(redis_client, *poison, payload(order_placed(7)))

    await consumer.deal_with(entries)

    assert states(database) == {7: "processing"}
    assert rows(database, "SELECT COUNT(*) FROM dead_letters") == [(len(poison),)]
    assert await pending(redis_client) == 0


async def test_entries_wait_while_the_heartbeat_is_late_and_are_taken_when_it_beats(
    database: Database,
    consumer: Consumer[OrderingEvent],
    heartbeat: Heartbeat,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(heartbeat_module, "LEASE_SECONDS", 0)
    entries = await delivered(redis_client, payload(order_placed(1)))

    dealing = asyncio.create_task(consumer.deal_with(entries))
    await asyncio.sleep(0.2)
    waiting = await pending(redis_client)
    monkeypatch.setattr(heartbeat_module, "LEASE_SECONDS", 10)
    await asyncio.wait_for(dealing, 10)

    assert waiting == 1
    assert (await pending(redis_client), states(database)) == (0, {1: "processing"})
