"""What the services do with Redis is what their users may do: all of it, and no more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from redis import asyncio as redis
from sqlalchemy import Table

from chassis.database.transactions import Database
from chassis.messaging import consumer as reading
from chassis.messaging import streams
from chassis.messaging.consumer import Consumer
from chassis.messaging.dead_letter_routes import redrive
from chassis.messaging.outbox import Outbox
from chassis.messaging.relay import Relay
from chassis.messaging.trim import trim
from contracts.batches import UnreadableEvent
from contracts.streams import FULFILMENT, ORDERING, PAYLOAD_FIELD, Stream
from fulfilment import model as fulfilment
from harness.engine import RedisServer
from harness.privileges import listed_for_redis
from harness.redis_commands import noted
from harness.schemas import Schemas
from ordering import model as ordering
from ordering.call_limit import CallLimit
from ordering.notice_loss import notice_loss

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Side:
    """A service as far as Redis is concerned."""

    name: str
    writes: Stream
    reads: Stream
    outbox: Outbox
    letters: Table


SIDES = [
    Side("ordering", ORDERING, FULFILMENT, ordering.outbox, ordering.dead_letters),
    Side("fulfilment", FULFILMENT, ORDERING, fulfilment.outbox, fulfilment.dead_letters),
]


@pytest.fixture(params=SIDES, ids=lambda side: side.name)
def side(request: pytest.FixtureRequest) -> Side:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def database(schemas: Schemas, side: Side) -> AsyncIterator[Database]:
    database = Database(schemas.empty(side.name).url, connections=2)
    yield database
    database.close()


def unreadable(_payload: bytes, _entry_id: str) -> list[UnreadableEvent]:
    raise UnreadableEvent("as it is meant to be here")


async def handled(_events: list[object]) -> None:
    """There are none."""


async def test_a_user_may_do_what_its_service_does_and_no_more(
    side: Side, database: Database, redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FORGET_CONSUMER_AFTER_MILLISECONDS", -1)  # forget whoever has nothing to do
    sent = noted(monkeypatch, side.name)
    client = streams.connect(redis_server.url_of(side.name))
    broker = streams.broker(redis_server.url_of(side.name))
    consumer: Consumer[object] = Consumer(
        broker=broker,
        client=client,
        stream=side.reads,
        group=side.name,
        read=unreadable,
        handle=handled,
        database=database,
        letters=side.letters,
    )
    relay = Relay(database, client, side.outbox, side.writes)

    async with redis.Redis.from_url(redis_url) as anybody:
        await streams.ensure_group(anybody, side.writes.name, side.writes.groups[0])
    await streams.check(client)
    database.transact(side.outbox.add, [{"type": "a word"}])
    healing, *caring = consumer.loops()
    for loop in [*relay.loops(), healing]:
        await loop.turn()
    await trim(client, side.writes)
    if side.name == "ordering":
        await notice_loss(database, client)
        limit = CallLimit(redis_server.url_of(side.name), per_minute=1)
        await limit.admit("somebody")
        await limit.close()
    async with redis.Redis.from_url(redis_url) as anybody, asyncio.timeout(PATIENCE_SECONDS):
        await anybody.xadd(side.reads.name, {PAYLOAD_FIELD: b"poison"})
        while (side.reads.name, "xack") not in sent:
            await asyncio.sleep(0.05)
    for loop in caring:
        await loop.turn()
    await redrive(database, client, side.letters, 1)
    await consumer.stop()
    await broker.stop()
    await client.aclose()

    in_a_script = {(key, name) for key, command in sent if command == "eval" for name in ("get", "set")}
    assert sent | in_a_script == {
        (key.replace("*", "somebody"), command) for key, command in listed_for_redis(side.name)
    }
