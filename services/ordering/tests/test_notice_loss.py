"""Redis started anew or emptied: all that waits for fulfilment's answer is due at once, in steps, each time once."""

import pytest
from redis.asyncio import Redis

from chassis.database import Database
from harness.engine import RedisServer
from ordering.announce_again import Reminders
from ordering.model import WAITING, State
from ordering.notice_loss import MARK, Memory, begin_anew, make_due, notice_loss
from ordering.tests.factories import an_order, announcements, rows, seconds_until_due


async def test_an_emptied_redis_makes_all_that_wait_due_at_once(database: Database, redis_client: Redis) -> None:
    waiting = [an_order(database, state, due_in=300) for state in WAITING]
    others = [an_order(database, state, due_in=None) for state in (State.FAILED, State.FULFILLED, State.CANCELLED)]
    await notice_loss(database, redis_client)
    rows(database, "UPDATE orders SET due_at = NOW(6) + INTERVAL 300 SECOND WHERE due_at IS NOT NULL")
    await notice_loss(database, redis_client)
    undisturbed = [seconds_until_due(database, order.id) for order in waiting]

    await redis_client.flushall()
    await notice_loss(database, redis_client)
    await Reminders(database, redis_client).remind()

    assert min(seconds or 0 for seconds in undisturbed) > 200
    assert sorted(order_id for _, order_id, _ in announcements(database)) == [order.id for order in waiting]
    assert {seconds_until_due(database, order.id) for order in others} == {None}


def test_after_a_loss_orders_are_made_due_in_steps_that_each_commit(database: Database) -> None:
    waiting = [an_order(database, WAITING[number % 2], due_in=300).id for number in range(5)]
    an_order(database, State.FAILED, due_in=None)
    database.transact(begin_anew, Memory("a run", "a mark"))

    due = []
    for _ in range(4):
        database.transact(make_due, 2)
        due.append([id_ for id_ in waiting if (seconds_until_due(database, id_) or 0) <= 0])

    assert due == [waiting[:2], waiting[:4], waiting, waiting]


async def test_after_a_crash_in_between_the_rest_is_made_due_by_whoever_lives_on(
    database: Database, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.notice_loss.AT_ONCE", 2)
    waiting = [an_order(database, State.PLACED, due_in=300).id for _ in range(5)]
    await notice_loss(database, redis_client)
    rows(database, "UPDATE orders SET due_at = NOW(6) + INTERVAL 300 SECOND")

    turns = [await notice_loss(database, redis_client) for _ in range(3)]

    assert turns == [True, False, False]
    assert [id_ for id_ in waiting if (seconds_until_due(database, id_) or 0) <= 0] == waiting[2:]


async def test_a_loss_is_noticed_once(database: Database, redis_client: Redis) -> None:
    order = an_order(database, State.PLACED)
    await notice_loss(database, redis_client)
    await redis_client.flushall()
    await notice_loss(database, redis_client)
    rows(database, "UPDATE orders SET due_at = NOW(6) + INTERVAL 300 SECOND")

    await notice_loss(database, redis_client)

    assert (seconds_until_due(database, order.id) or 0) > 200
    assert await redis_client.get(MARK) is not None


async def test_a_restarted_redis_is_looked_after_whether_it_lost_anything_or_not(
    database: Database, redis_client: Redis, redis_server: RedisServer
) -> None:
    order = an_order(database, State.PLACED)
    await notice_loss(database, redis_client)
    rows(database, "UPDATE orders SET due_at = NOW(6) + INTERVAL 300 SECOND")

    redis_server.engine.kill()
    redis_server.engine.start()
    await redis_client.connection_pool.disconnect()
    await notice_loss(database, redis_client)

    assert (seconds_until_due(database, order.id) or 0) <= 0


async def test_a_crash_between_noticing_and_marking_notices_again(database: Database, redis_client: Redis) -> None:
    order = an_order(database, State.PLACED)
    await notice_loss(database, redis_client)
    await redis_client.delete(MARK)
    rows(database, "UPDATE orders SET due_at = NOW(6) + INTERVAL 300 SECOND")

    await notice_loss(database, redis_client)

    assert (seconds_until_due(database, order.id) or 0) <= 0
