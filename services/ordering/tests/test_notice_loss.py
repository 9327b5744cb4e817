"""Redis started anew or emptied: all that waits for fulfilment's answer is due at once, in steps, each time once."""

import pytest
from redis.asyncio import Redis
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY
from contracts.batches import names
from harness.engine import RedisServer
from ordering.announce_again import announce
from ordering.model import WAITING, State, outbox
from ordering.notice_loss import MARK, Memory, begin_anew, make_due, notice_loss
from ordering.tests.factories import an_order, rows


def announced(database: Database, *states: State) -> list[int]:
    """Orders, each announced a while ago in a batch of its own."""
    orders = [an_order(database, state).id for state in states]
    for order_id in orders:
        database.transact(announce, order_id, EVERYBODY)
    put_off(database)
    return orders


def put_off(database: Database) -> None:
    rows(database, "UPDATE outbox SET due_at = NOW(6) + INTERVAL 200 SECOND, sent = 5")


def due(database: Database) -> list[int]:
    """The orders whose batches are to be sent as new ones, without touching them."""

    def look(connection: Connection) -> list[int]:
        batches = outbox.claim_new(connection, 1000)
        connection.rollback()
        return [order_id for batch in batches for order_id, _ in names(batch.payload)]

    return database.transact(look)


async def test_an_emptied_redis_makes_all_that_wait_due_at_once(database: Database, redis_client: Redis) -> None:
    waiting = announced(database, *WAITING)
    await notice_loss(database, redis_client)
    put_off(database)
    await notice_loss(database, redis_client)
    undisturbed = due(database)

    await redis_client.flushall()
    await notice_loss(database, redis_client)

    assert undisturbed == []
    assert due(database) == waiting


def test_what_is_due_after_a_loss_and_gets_no_answer_comes_again_as_soon_as_after_its_first_time(
    database: Database,
) -> None:
    announced(database, State.PLACED)
    database.transact(begin_anew, Memory("a run", "a mark"))
    database.transact(make_due, 10)

    database.transact(outbox.claim_new, 10)

    [(seconds,)] = rows(database, "SELECT TIMESTAMPDIFF(SECOND, NOW(6), due_at) FROM outbox")
    assert 10 <= seconds <= 15


def test_after_a_loss_batches_are_made_due_in_steps_that_each_commit(database: Database) -> None:
    waiting = announced(database, *(WAITING[number % 2] for number in range(5)))
    database.transact(begin_anew, Memory("a run", "a mark"))

    found = []
    for _ in range(4):
        database.transact(make_due, 2)
        found.append(due(database))

    assert found == [waiting[:2], waiting[:4], waiting, waiting]


async def test_after_a_crash_in_between_the_rest_is_made_due_by_whoever_lives_on(
    database: Database, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.notice_loss.AT_ONCE", 2)
    waiting = announced(database, *[State.PLACED] * 5)
    await notice_loss(database, redis_client)
    put_off(database)

    turns = [await notice_loss(database, redis_client) for _ in range(3)]

    assert turns == [True, False, False]
    assert due(database) == waiting[2:]


async def test_a_loss_is_noticed_once(database: Database, redis_client: Redis) -> None:
    announced(database, State.PLACED)
    await notice_loss(database, redis_client)
    await redis_client.flushall()
    await notice_loss(database, redis_client)
    put_off(database)

    await notice_loss(database, redis_client)

    assert due(database) == []
    assert await redis_client.get(MARK) is not None


async def test_a_restarted_redis_is_looked_after_whether_it_lost_anything_or_not(
    database: Database, redis_client: Redis, redis_server: RedisServer
) -> None:
    waiting = announced(database, State.PLACED)
    await notice_loss(database, redis_client)
    put_off(database)

    redis_server.engine.kill()
    redis_server.engine.start()
    await redis_client.connection_pool.disconnect()
    await notice_loss(database, redis_client)

    assert due(database) == waiting


async def test_a_crash_between_noticing_and_marking_notices_again(database: Database, redis_client: Redis) -> None:
    waiting = announced(database, State.PLACED)
    await notice_loss(database, redis_client)
    await redis_client.delete(MARK)
    put_off(database)

    await notice_loss(database, redis_client)

    assert due(database) == waiting
