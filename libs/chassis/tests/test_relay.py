"""What is committed with an event is announced: at least once, and by several relays no more often than it must be."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import Connection, MetaData, create_engine, func, select

from chassis import outbox as chassis_outbox
from chassis.database import Database
from chassis.outbox import add, claim, outbox_table
from chassis.problems import Unavailable
from chassis.relay import Relay, Sent
from contracts.streams import ORDERING, PAYLOAD_FIELD
from harness.clocks import set_back
from harness.schemas import Schema
from harness.statements import statements
from harness.streams import entries

metadata = MetaData()
outbox = outbox_table(metadata)
NEVER = Retry(NoBackoff(), 0)


@dataclass(frozen=True)
class Placed:
    order_id: int
    revision: int = 1

    def model_dump_json(self) -> str:
        return json.dumps({"order_id": self.order_id})


@pytest.fixture(autouse=True)
def tables(create_tables: Callable[[MetaData], None]) -> None:
    create_tables(metadata)


@pytest.fixture
def relay(database: Database, redis_client: Redis) -> Relay:
    return Relay(database, redis_client, outbox, ORDERING)


def announce(connection: Connection, *order_ids: int) -> None:
    add(connection, outbox, [Placed(order_id) for order_id in order_ids])


def waiting(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(outbox)).scalar_one()


async def announced(client: Redis) -> list[int]:
    """The orders on the stream, in its order."""
    return [json.loads(fields[PAYLOAD_FIELD])["order_id"] for _, fields in await entries(client, ORDERING.name)]


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


async def test_after_a_crash_between_send_and_remove_it_is_sent_again_once_the_claim_ran_out(
    database: Database, redis_client: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_connection: Connection, _sent: Sequence[Sent]) -> None:
        raise SystemExit

    database.transact(announce, 1)
    monkeypatch.setattr(chassis_outbox, "CLAIM_SECONDS", 1)
    with pytest.raises(SystemExit):
        await Relay(database, redis_client, outbox, ORDERING, on_sent=crash).relay()

    await relay.relay()
    while_claimed = await announced(redis_client)
    await asyncio.sleep(1)
    await relay.relay()

    assert while_claimed == [1]
    assert await announced(redis_client) == [1, 1]
    assert database.transact(waiting) == 0


async def test_without_redis_the_events_stay_and_redis_is_named(database: Database) -> None:
    database.transact(announce, 1, 2)

    async with Redis(port=1, retry=NEVER) as nobody:
        with pytest.raises(Unavailable, match="Redis"):
            await Relay(database, nobody, outbox, ORDERING).relay()

    assert database.transact(waiting) == 2


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
    monkeypatch.setattr(chassis_outbox, "CLAIM_SECONDS", 0)

    async with Redis(port=black_hole, retry=NEVER) as silent:
        relaying = asyncio.create_task(Relay(database, silent, outbox, ORDERING).relay())
        await asyncio.sleep(0.2)
        free = database.transact(claim, outbox, 10)
        still_waiting = not relaying.done()
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)

    assert still_waiting
    assert [event.order_id for event in free] == [1]


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


async def test_who_wants_to_know_is_told_what_was_sent_in_the_commit_that_removes_it(
    database: Database, redis_client: Redis
) -> None:
    told: list[Sent] = []

    def note(connection: Connection, sent: Sequence[Sent]) -> None:
        assert waiting(connection) == 0
        told.extend(sent)

    database.transact(announce, 1, 2)
    await Relay(database, redis_client, outbox, ORDERING, on_sent=note).relay()

    entry_ids = [entry_id for entry_id, _ in await entries(redis_client, ORDERING.name)]
    assert [(sent.order_id, sent.type, sent.entry_id) for sent in told] == [
        (1, "Placed", entry_ids[0]),
        (2, "Placed", entry_ids[1]),
    ]


async def test_who_wants_to_know_is_told_once_although_the_commits_answer_was_lost(
    database: Database, redis_client: Redis
) -> None:
    told: list[Sent] = []
    relay = Relay(database, redis_client, outbox, ORDERING, on_sent=lambda _connection, sent: told.extend(sent))
    database.transact(announce, 1)
    claimed = database.transact(claim, outbox, 10)
    sent = [Sent(1, 1, "Placed", "1-1")]

    database.transact(relay.remove_sent, claimed, sent)
    database.transact(relay.remove_sent, claimed, sent)

    assert told == sent


def test_any_number_of_events_costs_as_many_statements_as_one(database: Database) -> None:
    one, many = [1], range(2, 52)

    assert statements(database, announce, *many) == statements(database, announce, *one)
    assert statements(database, claim, outbox, 50) == statements(database, claim, outbox, 1)


def test_a_claim_does_not_last_longer_because_the_database_clock_was_set_back(database: Database) -> None:
    database.transact(announce, 1)
    database.transact(claim, outbox, 10)

    def claim_an_hour_ago(connection: Connection) -> list[int]:
        with set_back(connection, 3600):
            return [row.order_id for row in claim(connection, outbox, 10)]

    assert database.transact(claim, outbox, 10) == []
    assert database.transact(claim_an_hour_ago) == [1]
