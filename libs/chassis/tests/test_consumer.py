"""Every event is handed over at least once, in spite of poison, restarts, lost groups and consumers that died."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import Connection, MetaData, select, text

from chassis.database.transactions import Database
from chassis.messaging import consumer as consumer_module
from chassis.messaging import streams
from chassis.messaging.consumer import Consumer
from chassis.messaging.dead_letter_routes import redrive
from chassis.messaging.dead_letters import KEPT_OF_A_VALUE, dead_letter_table, unpack
from chassis.messaging.streams import ensure_group
from chassis.problems import Conflict, Unavailable
from chassis.process import loops
from contracts.batches import seal, unseal
from contracts.events import OrderCancelled, OrderingEvent, ordering_events
from contracts.streams import ORDERING, PAYLOAD_FIELD
from harness.engine import RedisServer
from harness.streams import pending

GROUP = "fulfilment"
POISON: dict[str, dict[Any, bytes]] = {
    "no payload field": {b"body": b"{}"},
    "empty": {PAYLOAD_FIELD: b""},
    "binary": {PAYLOAD_FIELD: b"\x00\xff\xfe\x80"},
    "field name binary": {b"\xff": b"\xff"},
    "not JSON": {PAYLOAD_FIELD: b"order 1, please"},
    "no batch": {PAYLOAD_FIELD: b'{"version": 1, "type": "OrderCancelled", "revision": 1, "order_id": 1}'},
    "a list": {PAYLOAD_FIELD: b"[1]"},
    "batch of an unknown version": {PAYLOAD_FIELD: b'{"version": 2, "events": []}'},
    "batch of none": {PAYLOAD_FIELD: seal([])},
    "batch of no list": {PAYLOAD_FIELD: b'{"version": 1, "events": {}}'},
    "no event": {PAYLOAD_FIELD: seal([b"null"])},
    "no order id": {PAYLOAD_FIELD: seal([b'{"version": 1, "type": "OrderCancelled", "revision": 1}'])},
    "wrong type": {
        PAYLOAD_FIELD: seal([b'{"version": 1, "type": "OrderCancelled", "revision": 1, "order_id": "one"}'])
    },
    "unknown version": {
        PAYLOAD_FIELD: seal([b'{"version": 2, "type": "OrderCancelled", "revision": 1, "order_id": 1}'])
    },
    "unknown type": {PAYLOAD_FIELD: seal([b'{"version": 1, "type": "OrderEaten", "revision": 1, "order_id": 1}'])},
    "1 MB": {PAYLOAD_FIELD: b"x" * 1_000_000},
}

metadata = MetaData()
letters = dead_letter_table(metadata)
Handle = Callable[[list[OrderingEvent]], Awaitable[None]]


@pytest.fixture(autouse=True)
def tables(create_tables: Callable[[MetaData], None]) -> None:
    create_tables(metadata)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "RETRY_SECONDS", 0.01)


class Reader:
    """Takes events over, in memory; `before` runs before it does, and may fail or wait."""

    def __init__(self) -> None:
        self.order_ids: list[int] = []
        self.before: Handle | None = None

    async def __call__(self, events: list[OrderingEvent]) -> None:
        if self.before is not None:
            await self.before(events)
        self.order_ids += [event["order_id"] for event in events]

    async def has_read(self, *order_ids: int) -> None:
        await until(lambda: set(order_ids) <= set(self.order_ids), f"{order_ids} of {self.order_ids}")


async def until(predicate: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + 20
    while not predicate():
        assert time.monotonic() < give_up_at, f"still waiting for {what}"
        await asyncio.sleep(0.02)


Reading = Callable[[Handle], Any]


@pytest.fixture
def reading(redis_url: str, redis_client: Redis, database: Database) -> Reading:
    @asynccontextmanager
    async def reading(handle: Handle) -> AsyncIterator[Consumer[OrderingEvent]]:
        broker = streams.broker(redis_url)
        consumer = Consumer(
            broker=broker,
            client=redis_client,
            stream=ORDERING,
            group=GROUP,
            read=ordering_events.batch,
            handle=handle,
            database=database,
            letters=letters,
        )
        try:
            async with loops.running([replace(loop, pause=0.05) for loop in consumer.loops()]):
                yield consumer
        finally:
            await consumer.stop()
            await broker.stop()

    return reading


def cancelled(order_id: int) -> bytes:
    event: OrderCancelled = {"version": 1, "type": "OrderCancelled", "order_id": order_id, "revision": 1}
    return orjson.dumps(event)


async def publish(client: Redis, *order_ids: int) -> None:
    for order_id in order_ids:
        await client.xadd(ORDERING.name, {PAYLOAD_FIELD: seal([cancelled(order_id)])})


async def all_acknowledged(client: Redis) -> None:
    give_up_at = time.monotonic() + 20
    while await pending(client, ORDERING.name, GROUP):
        assert time.monotonic() < give_up_at, "entries stay unacknowledged"
        await asyncio.sleep(0.02)


async def nobody_blocks(client: Redis) -> None:
    give_up_at = time.monotonic() + 20
    while (await client.info("clients"))["blocked_clients"]:
        assert time.monotonic() < give_up_at, "somebody goes on reading"
        await asyncio.sleep(0.02)


def buried(connection: Connection) -> list[dict[bytes, bytes]]:
    return [unpack(row.fields) for row in connection.execute(select(letters).order_by(letters.c.id))]


def entry_ids(connection: Connection) -> list[str]:
    return [row.entry_id for row in connection.execute(select(letters).order_by(letters.c.id))]


def reasons(connection: Connection) -> list[str]:
    return [row.reason for row in connection.execute(select(letters).order_by(letters.c.id))]


async def test_what_was_announced_before_the_first_start_is_delivered(reading: Reading, redis_client: Redis) -> None:
    reader = Reader()
    await publish(redis_client, 1, 2)

    async with reading(reader):
        await reader.has_read(1, 2)
        await publish(redis_client, 3)
        await reader.has_read(3)

    assert reader.order_ids == [1, 2, 3]


async def test_an_entry_is_acknowledged_only_after_it_was_taken_over(reading: Reading, redis_client: Redis) -> None:
    reader, may_go = Reader(), asyncio.Event()
    given: list[int] = []

    async def wait(events: list[OrderingEvent]) -> None:
        given.extend(event["order_id"] for event in events)
        await may_go.wait()

    reader.before = wait
    await publish(redis_client, 1)
    async with reading(reader):
        await until(lambda: given == [1], "the event to be handed over")
        while_in_work = await pending(redis_client, ORDERING.name, GROUP)
        may_go.set()
        await reader.has_read(1)
        await all_acknowledged(redis_client)

    assert while_in_work == 1


async def test_poison_becomes_a_dead_letter_with_its_bytes_and_holds_up_nobody(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader = Reader()
    for order_id, fields in enumerate(POISON.values(), start=1):
        await redis_client.xadd(ORDERING.name, {**fields})
        await publish(redis_client, order_id)

    async with reading(reader):
        await reader.has_read(*range(1, len(POISON) + 1))
        await all_acknowledged(redis_client)

    assert reader.order_ids == list(range(1, len(POISON) + 1))
    assert database.transact(buried) == list(POISON.values())
    assert all(0 < len(reason) < 200 for reason in database.transact(reasons))


async def test_poison_delivered_again_is_one_dead_letter(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    entry_id = await redis_client.xadd(ORDERING.name, {PAYLOAD_FIELD: "poison"})

    async with asyncio.timeout(20), reading(Reader()) as consumer:
        for _ in range(3):
            await consumer.deal_with([(entry_id, {PAYLOAD_FIELD: b"poison"})])
        await all_acknowledged(redis_client)

    assert database.transact(buried) == [{PAYLOAD_FIELD: b"poison"}]


async def test_an_entry_larger_than_the_database_takes_is_buried_by_its_beginning_its_length_and_its_hash(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader, poison = Reader(), b"x" * 15_000_000
    await redis_client.xadd(ORDERING.name, {PAYLOAD_FIELD: poison})
    await publish(redis_client, 1)

    async with reading(reader):
        await reader.has_read(1)
        await all_acknowledged(redis_client)

    [row] = database.transact(lambda connection: connection.execute(select(letters)).all())
    assert (row.size, row.sha256) == (15_000_008, sha256(PAYLOAD_FIELD + poison).hexdigest())
    assert unpack(row.fields) == {PAYLOAD_FIELD: b"x" * KEPT_OF_A_VALUE}
    with pytest.raises(Conflict):
        await redrive(database, redis_client, letters, row.id)
    assert await redis_client.xlen(ORDERING.name) == 2


async def test_a_dead_letter_that_can_not_be_stored_stays_in_the_stream_and_holds_up_nobody(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader = Reader()
    database.transact(lambda connection: connection.execute(text("ALTER TABLE dead_letters RENAME TO gone")).close())
    await redis_client.xadd(ORDERING.name, {PAYLOAD_FIELD: "poison"})
    await publish(redis_client, 1)

    async with reading(reader):
        await reader.has_read(1)
        await some_pending(redis_client, 1)

    assert reader.order_ids == [1]


def _order_ids(payload: bytes) -> list[int]:
    return [event["order_id"] for event in unseal(payload)]


async def test_of_a_batch_only_what_can_not_be_handled_is_buried_and_its_neighbours_count(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader = Reader()

    async def fail_on_7(events: list[OrderingEvent]) -> None:
        if any(event["order_id"] == 7 for event in events):
            raise LookupError("order 7 is unknown")

    reader.before = fail_on_7
    good = [cancelled(order_id) for order_id in (5, 6, 7, 8)]
    bad = b'{"type":"OrderEaten","new":"field"}'
    entry_id = await redis_client.xadd(ORDERING.name, {PAYLOAD_FIELD: seal([good[0], bad, *good[1:]])})
    async with reading(reader):
        await reader.has_read(5, 6, 8)
        await all_acknowledged(redis_client)

    assert reader.order_ids == [5, 6, 8]
    assert [unseal(fields[PAYLOAD_FIELD]) for fields in database.transact(buried)] == [
        [json.loads(bad)],
        [json.loads(good[2])],
    ]
    named = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    assert database.transact(entry_ids) == [f"{named}#1", f"{named}#3"]


async def test_an_entry_stays_until_everything_in_it_is_dealt_with(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader = Reader()
    database.transact(lambda connection: connection.execute(text("ALTER TABLE dead_letters RENAME TO gone")).close())
    good = cancelled(1)
    await redis_client.xadd(ORDERING.name, {PAYLOAD_FIELD: seal([good, b"null"])})

    async with reading(reader):
        await reader.has_read(1)
        await some_pending(redis_client, 1)


async def some_pending(client: Redis, count: int) -> None:
    async with asyncio.timeout(20):
        while await pending(client, ORDERING.name, GROUP) != count:
            await asyncio.sleep(0.02)


async def test_an_event_that_its_reader_fails_on_is_buried_alone(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader = Reader()

    async def fail_on_7(events: list[OrderingEvent]) -> None:
        if any(event["order_id"] == 7 for event in events):
            raise LookupError("order 7 is unknown")

    reader.before = fail_on_7
    await publish(redis_client, *range(1, 20))
    async with reading(reader):
        await reader.has_read(*range(1, 7), *range(8, 20))
        await all_acknowledged(redis_client)

    assert reader.order_ids == [*range(1, 7), *range(8, 20)]
    assert [_order_ids(fields[PAYLOAD_FIELD]) for fields in database.transact(buried)] == [[7]]
    assert database.transact(reasons) == ["LookupError: order 7 is unknown"]


async def test_while_something_is_away_the_same_events_are_tried_again(
    reading: Reading, redis_client: Redis, database: Database
) -> None:
    reader = Reader()
    tries: list[list[int]] = []

    async def away_twice(events: list[OrderingEvent]) -> None:
        tries.append([event["order_id"] for event in events])
        if len(tries) < 3:
            raise Unavailable("the database is away")

    reader.before = away_twice
    await publish(redis_client, 1, 2)
    async with reading(reader):
        await reader.has_read(1, 2)
        await all_acknowledged(redis_client)

    assert tries == [[1, 2]] * 3
    assert database.transact(buried) == []


@pytest.mark.parametrize("lost", ["everything", "the group"])
async def test_a_lost_group_is_made_again_and_reading_goes_on(lost: str, reading: Reading, redis_client: Redis) -> None:
    reader = Reader()

    async with reading(reader) as consumer:
        await publish(redis_client, 1)
        await reader.has_read(1)
        if lost == "everything":
            await redis_client.flushall()
        else:
            await redis_client.xgroup_destroy(ORDERING.name, GROUP)
        await publish(redis_client, 2)
        await reader.has_read(2)
        await until(lambda: consumer.running, "the reader to say so")
        await consumer.check()


async def test_a_reader_that_stopped_says_so(reading: Reading) -> None:
    async with reading(Reader()) as consumer:
        await until(lambda: consumer.running, "the reader to run")
    with pytest.raises(Unavailable, match="ordering"):
        await consumer.check()


async def test_reading_goes_on_after_redis_was_killed_and_came_back(
    reading: Reading, redis_client: Redis, redis_server: RedisServer
) -> None:
    reader = Reader()

    async with reading(reader):
        await publish(redis_client, 1)
        await reader.has_read(1)
        redis_server.engine.kill()
        redis_server.engine.start()
        await publish(redis_client, 2)
        await reader.has_read(2)


async def test_what_a_dead_consumer_never_acknowledged_is_taken_over(
    reading: Reading, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader()
    await publish(redis_client, 1, 2)
    await ensure_group(redis_client, ORDERING.name, GROUP)
    await redis_client.xreadgroup(GROUP, "died", {ORDERING.name: ">"})
    monkeypatch.setattr(consumer_module, "IDLE_BEFORE_TAKEOVER_MILLISECONDS", 10)

    async with reading(reader):
        await reader.has_read(1, 2)
        await all_acknowledged(redis_client)


async def test_what_another_consumer_is_still_busy_with_is_left_alone(
    reading: Reading, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader()
    monkeypatch.setattr(
        consumer_module, "IDLE_BEFORE_TAKEOVER_MILLISECONDS", 600_000
    )  # longer than any machine stands still
    await publish(redis_client, 1)
    await ensure_group(redis_client, ORDERING.name, GROUP)
    await redis_client.xreadgroup(GROUP, "busy", {ORDERING.name: ">"})
    await publish(redis_client, 2)

    async with reading(reader):
        await reader.has_read(2)
        await asyncio.sleep(0.3)

    assert reader.order_ids == [2]


async def test_once_stopped_it_takes_nothing_away_from_others(
    reading: Reading, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although redis-py may swallow a cancellation, one that meets it connecting again, and read once more."""
    read_once, reader = Redis.xreadgroup, Reader()

    async def stubborn(*args: Any, **options: Any) -> Any:
        try:
            return await read_once(*args, **options)
        except asyncio.CancelledError:
            return await read_once(*args, **options)

    monkeypatch.setattr(Redis, "xreadgroup", stubborn)
    async with reading(reader):
        await publish(redis_client, 1)
        await reader.has_read(1)
        await all_acknowledged(redis_client)
    await nobody_blocks(redis_client)  # the server may see later than we that a connection is gone

    await publish(redis_client, 2)
    await asyncio.sleep(0.3)

    assert await pending(redis_client, ORDERING.name, GROUP) == 0


async def test_two_readers_of_a_group_share_its_events(reading: Reading, redis_client: Redis) -> None:
    first, second = Reader(), Reader()

    async with reading(first), reading(second):
        await publish(redis_client, *range(1, 201))
        await until(lambda: len(first.order_ids) + len(second.order_ids) >= 200, "all events")
        await all_acknowledged(redis_client)

    assert sorted(first.order_ids + second.order_ids) == list(range(1, 201))
