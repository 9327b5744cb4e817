"""What is committed with an event is announced: at least once, and by several relays no more often than it must be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import Connection, MetaData, create_engine, func, select, text

from chassis.database.transactions import Database
from chassis.messaging import outbox as chassis_outbox
from chassis.messaging import relay as relay_module
from chassis.messaging.outbox import LONGEST_DISTANCE_SECONDS, MOST_BYTES, MOST_EVENTS, Batch, Outbox
from chassis.messaging.relay import Relay
from chassis.messaging.streams import ensure_group
from chassis.problems import Unavailable
from contracts.batches import names, unseal
from contracts.streams import ORDERING, PAYLOAD_FIELD
from harness.clocks import set_back
from harness.schemas import Schema
from harness.statements import statements
from harness.streams import entries

metadata = MetaData()
outbox = Outbox(metadata)
NEVER = Retry(NoBackoff(), 0)


def placed(order_id: int, padding: str = "") -> dict[str, Any]:
    return {"order_id": order_id, "revision": 1, "padding": padding}


@pytest.fixture(autouse=True)
def tables(create_tables: Callable[[MetaData], None]) -> None:
    create_tables(metadata)


@pytest.fixture
def relay(database: Database, redis_client: Redis) -> Relay:
    return Relay(database, redis_client, outbox, ORDERING)


def announce(connection: Connection, *order_ids: int) -> None:
    outbox.add(connection, [placed(order_id) for order_id in order_ids])


def waiting(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(outbox.table)).scalar_one()


async def announced(client: Redis) -> list[int]:
    """The orders on the stream, in its order."""
    batches = [unseal(fields[PAYLOAD_FIELD]) for _, fields in await entries(client, ORDERING.name)]
    return [event["order_id"] for batch in batches for event in batch]


def orders_of(batches: Sequence[Batch]) -> list[int]:
    return [order_id for batch in batches for order_id, _ in names(batch.payload)]


def let_be_due(connection: Connection) -> None:
    connection.execute(outbox.table.update().values(due_at=text("NOW(6) - INTERVAL 1 SECOND")))


async def test_events_are_announced_in_the_order_they_were_added_and_then_gone(
    database: Database, relay: Relay, redis_client: Redis
) -> None:
    database.transact(announce, 3, 1, 2)

    more = await relay.relay()

    assert not more
    assert await announced(redis_client) == [3, 1, 2]
    assert database.transact(waiting) == 0


async def test_what_is_rolled_back_is_not_announced(database: Database, relay: Relay, redis_client: Redis) -> None:
    def place_and_fail(connection: Connection) -> None:
        announce(connection, 1)
        raise LookupError

    with pytest.raises(LookupError):
        database.transact(place_and_fail)
    await relay.relay()

    assert await announced(redis_client) == []


async def test_an_event_whose_lower_id_commits_later_is_not_skipped(
    scratch_schema: Schema, database: Database, relay: Relay, redis_client: Redis
) -> None:
    engine = create_engine(scratch_schema.url)
    with engine.begin() as slow:
        announce(slow, 1)
        database.transact(announce, 2)
        await relay.relay()
        before = await announced(redis_client)
    engine.dispose()
    await relay.relay()

    assert before == [2]
    assert await announced(redis_client) == [2, 1]


async def test_two_relays_share_the_work_and_neither_double_nor_lose(database: Database, redis_client: Redis) -> None:
    for first in range(0, 3000, 500):
        database.transact(announce, *range(first, first + 500))

    async def relay_all() -> int:
        relay, turns = Relay(database, redis_client, outbox, ORDERING), 1
        while await relay.relay() or await database.run(waiting) > 0:
            turns += 1
        return turns

    await asyncio.gather(relay_all(), relay_all())

    assert sorted(await announced(redis_client)) == list(range(3000))
    assert database.transact(waiting) == 0


async def test_after_a_crash_between_send_and_remove_it_is_sent_again_once_it_is_due_again(
    database: Database, redis_client: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_outbox: Outbox, _connection: Connection, _ids: Sequence[int]) -> None:
        raise SystemExit

    database.transact(announce, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "remove", crash)
        with pytest.raises(SystemExit):
            await relay.relay()

    await relay.relay()
    while_claimed = await announced(redis_client)
    database.transact(let_be_due)
    await relay.remind()

    assert while_claimed == [1]
    assert await announced(redis_client) == [1, 1]
    assert database.transact(waiting) == 0


async def test_without_redis_the_events_stay_and_redis_is_named(database: Database) -> None:
    database.transact(announce, 1, 2)

    async with Redis(port=1, retry=NEVER) as nobody:
        with pytest.raises(Unavailable, match="Redis"):
            await Relay(database, nobody, outbox, ORDERING).relay()

    assert database.transact(waiting) == 1


async def test_redis_out_of_memory_takes_no_event_off_the_outbox(
    database: Database, relay: Relay, redis_client: Redis
) -> None:
    database.transact(announce, 1)
    await redis_client.config_set("maxmemory", "1")

    try:
        with pytest.raises(Unavailable):
            await relay.relay()
    finally:
        await redis_client.config_set("maxmemory", "0")

    assert database.transact(waiting) == 1


async def test_no_row_is_locked_while_redis_keeps_the_relay_waiting(
    database: Database, black_hole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.transact(announce, 1)
    monkeypatch.setattr(chassis_outbox, "AGAIN_AFTER_SECONDS", 0)

    async with Redis(port=black_hole, retry=NEVER) as silent:
        relaying = asyncio.create_task(Relay(database, silent, outbox, ORDERING).relay())
        await asyncio.sleep(0.2)
        free = database.transact(outbox.claim_due, 10)
        still_waiting = not relaying.done()
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)

    assert still_waiting
    assert orders_of(free) == [1]


@pytest.fixture
async def black_hole() -> AsyncIterator[int]:
    """The port of a server that takes all and answers nothing."""
    gone = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    gone.set()
    server.close()
    await server.wait_closed()


def nothing_answered(_connection: Connection, _batches: Sequence[Batch]) -> list[int]:
    return []


async def test_what_needs_an_answer_stays_and_is_sent_again_until_all_of_it_has_come(
    database: Database, redis_client: Redis
) -> None:
    given: set[int] = set()

    def answered(_connection: Connection, batches: Sequence[Batch]) -> list[int]:
        return [batch.id for batch in batches if set(orders_of([batch])) <= given]

    relay = Relay(database, redis_client, outbox, ORDERING, answered)
    database.transact(announce, 1, 2)
    database.transact(announce, 3)
    await relay.relay()
    for answers in ({1, 3}, {2}):
        given |= answers
        database.transact(let_be_due)
        await relay.remind()

    assert await announced(redis_client) == [1, 2, 3, 1, 2]
    assert database.transact(waiting) == 0


async def test_what_is_not_due_yet_is_not_asked_for(database: Database, redis_client: Redis) -> None:
    def never(_connection: Connection, batches: Sequence[Batch]) -> list[int]:
        raise AssertionError(batches)

    relay = Relay(database, redis_client, outbox, ORDERING, never)
    database.transact(announce, 1)
    await relay.remind()
    await relay.relay()
    await relay.remind()

    assert await announced(redis_client) == [1]


def test_a_batch_comes_again_at_growing_distance_up_to_a_bound(database: Database) -> None:
    database.transact(announce, 1)

    distances = []
    for claim in (outbox.claim_new, *[outbox.claim_due] * 7):
        assert len(database.transact(claim, 10)) == 1
        assert database.transact(outbox.claim_new, 10) == database.transact(outbox.claim_due, 10) == []
        distances.append(round(database.transact(seconds_until_due)))
        database.transact(let_be_due)

    assert distances == [15, 15, 30, 60, 120, 240, LONGEST_DISTANCE_SECONDS, LONGEST_DISTANCE_SECONDS]


def seconds_until_due(connection: Connection) -> float:
    return float(
        connection.execute(text("SELECT TIMESTAMPDIFF(MICROSECOND, NOW(6), due_at) / 1e6 FROM outbox")).scalar_one()
    )


def batch_sizes(database: Database) -> list[int]:
    return [len(unseal(batch.payload)) for batch in database.transact(outbox.claim_new, 1000)]


def test_the_events_of_a_commit_are_one_batch(database: Database) -> None:
    database.transact(announce, *range(MOST_EVENTS))

    assert batch_sizes(database) == [MOST_EVENTS]


def test_a_batch_is_bounded_in_events_and_in_bytes(database: Database) -> None:
    database.transact(announce, *range(MOST_EVENTS + 1))
    assert batch_sizes(database) == [MOST_EVENTS, 1]

    large = [placed(order_id, padding="x" * (MOST_BYTES // 3)) for order_id in range(4)]
    database.transact(outbox.add, [*large, placed(5, padding="x" * MOST_BYTES)])
    assert batch_sizes(database) == [2, 2, 1]


def test_any_number_of_events_costs_as_many_statements_as_one(database: Database) -> None:
    one, many = [1], range(2, 52)

    assert statements(database, announce, *many) == statements(database, announce, *one)
    assert statements(database, outbox.claim_new, 1) == 2
    for order_id in range(100, 150):
        database.transact(announce, order_id)
    assert statements(database, outbox.claim_new, 50) == 2


def test_a_claim_does_not_last_longer_because_the_database_clock_was_set_back(database: Database) -> None:
    database.transact(announce, 1)
    database.transact(outbox.claim_new, 10)

    def claim_an_hour_ago(connection: Connection) -> list[int]:
        with set_back(connection, 3600):
            return orders_of(outbox.claim_due(connection, 10))

    assert database.transact(outbox.claim_due, 10) == []
    assert database.transact(claim_an_hour_ago) == [1]


@pytest.fixture
async def behind(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that hasn't read what is there counts as behind."""
    monkeypatch.setattr(relay_module, "BEHIND_SECONDS", 0.0)
    await ensure_group(redis_client, ORDERING.name, "fulfilment")


async def read(client: Redis) -> None:
    await client.xreadgroup("fulfilment", "a consumer", {ORDERING.name: ">"})


@pytest.mark.usefixtures("behind")
async def test_a_reader_that_is_behind_is_told_what_is_new_and_reminded_of_nothing_until_it_has_caught_up(
    database: Database, redis_client: Redis
) -> None:
    relay = Relay(database, redis_client, outbox, ORDERING, nothing_answered)
    database.transact(announce, 1)
    await relay.relay()
    await asyncio.sleep(0.01)
    database.transact(let_be_due)
    await relay.remind()
    database.transact(announce, 2)
    await relay.relay()
    behind = await announced(redis_client)
    await read(redis_client)
    await relay.remind()

    assert behind == [1, 2]
    assert await announced(redis_client) == [1, 2, 1]
