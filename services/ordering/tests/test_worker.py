"""Outcomes from the stream: each entry is acknowledged once its order has moved, or once it is a dead letter."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from chassis.database.transactions import Database
from chassis.messaging import streams
from chassis.messaging.consumer import Consumer, Entry
from chassis.web.access import EVERYBODY
from contracts.batches import seal
from contracts.events import FulfilmentCancelled, FulfilmentEvent, OrderFulfilled, fulfilment_events
from contracts.streams import FULFILMENT, PAYLOAD_FIELD
from ordering.model import State, dead_letters
from ordering.tests.factories import an_order, rows, states, steps_of
from ordering.timeline import timeline
from ordering.worker import follow


@pytest.fixture
async def consumer(database: Database, redis_url: str, redis_client: Redis) -> AsyncIterator[Consumer[FulfilmentEvent]]:
    """As the worker has it, handed entries by the test."""
    broker = streams.broker(redis_url)
    await streams.ensure_group(redis_client, FULFILMENT.name, "ordering")
    yield Consumer(
        broker=broker,
        client=redis_client,
        stream=FULFILMENT,
        group="ordering",
        read=fulfilment_events.batch,
        handle=lambda events: database.run(follow, events),
        database=database,
        letters=dead_letters,
    )
    await broker.stop()


async def delivered(client: Redis, *payloads: bytes) -> list[Entry]:
    for payload in payloads:
        await client.xadd(FULFILMENT.name, {PAYLOAD_FIELD: seal([payload])})
    read: Any = await client.xreadgroup("ordering", "a consumer", {FULFILMENT.name: ">"})
    [(_, entries)] = read
    return list(entries)


async def pending(client: Redis) -> int:
    return int((await client.xpending(FULFILMENT.name, "ordering"))["pending"])


def fulfilled(order_id: int, revision: int = 1) -> bytes:
    event: OrderFulfilled = {
        "version": 1,
        "type": "OrderFulfilled",
        "order_id": order_id,
        "revision": revision,
        "decided_at": datetime.now(UTC),
        "worker": "a" * 32,
    }
    return orjson.dumps(event)


def cancelled(order_id: int, revision: int = 2) -> bytes:
    event: FulfilmentCancelled = {
        "version": 1,
        "type": "FulfilmentCancelled",
        "order_id": order_id,
        "revision": revision,
        "decided_at": datetime.now(UTC),
    }
    return orjson.dumps(event)


async def test_an_event_about_no_order_of_ours_is_a_dead_letter_and_delays_nobody(
    database: Database, consumer: Consumer[FulfilmentEvent], redis_client: Redis
) -> None:
    first, last = an_order(database, State.PLACED), an_order(database, State.PLACED)

    await consumer.deal_with(await delivered(redis_client, fulfilled(first.id), fulfilled(4711), fulfilled(last.id)))

    assert states(database) == {first.id: "fulfilled", last.id: "fulfilled"}
    assert rows(database, "SELECT reason FROM dead_letters") == [("UnknownOrder: there is no order 4711",)]
    assert await pending(redis_client) == 0


async def test_poison_is_buried_once_however_often_it_is_delivered(
    database: Database, consumer: Consumer[FulfilmentEvent], redis_client: Redis
) -> None:
    order = an_order(database, State.PLACED)
    poison = [b"", b"\xff\xfe", b"null", b'{"type": "Unheard"}', b'{"version": 9}', b"x" * 1_000_000]
    entries = await delivered(redis_client, *poison, fulfilled(order.id))

    await consumer.deal_with(entries)
    await consumer.deal_with(entries)

    assert states(database) == {order.id: "fulfilled"}
    assert rows(database, "SELECT COUNT(*) FROM dead_letters") == [(len(poison),)]


async def test_outcomes_repeated_and_shuffled_move_each_order_once(
    database: Database, consumer: Consumer[FulfilmentEvent], redis_client: Redis
) -> None:
    late, cancelling = (
        an_order(database, State.CANCELLING, revision=2),
        an_order(database, State.CANCELLING, revision=2),
    )
    payloads = [fulfilled(late.id, 2), fulfilled(late.id), cancelled(cancelling.id), fulfilled(cancelling.id)] * 3
    entries = await delivered(redis_client, *payloads)

    await consumer.deal_with(entries[::-1])

    assert states(database) == {late.id: "fulfilled", cancelling.id: "releasing"}
    assert (steps_of(database, late.id), steps_of(database, cancelling.id)) == ([], ["cancel_accepted"])
    assert [step.step for step in database.transact(timeline, late.id, EVERYBODY)].count("fulfilled") == 1
    assert await pending(redis_client) == 0
