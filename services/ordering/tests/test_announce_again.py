"""Redis may lose a second, or everything: what nobody answers is announced again, and what is on its way is not."""

from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from chassis import streams
from chassis.database import Database
from chassis.positions import BEGINNING, Position, parts
from chassis.problems import Conflict
from chassis.relay import Relay
from contracts.streams import FULFILMENT, ORDERING
from harness.engine import RedisServer
from ordering.announce_again import (
    LONGEST_DISTANCE_SECONDS,
    MARK,
    OVERDUE,
    STILL_AHEAD_SECONDS,
    announce,
    announce_overdue,
    notice_loss,
    remind,
)
from ordering.model import REMIND_AFTER_SECONDS, UNREAD, State, outbox
from ordering.note_announced import note_announced
from ordering.orders import Order
from ordering.redrive_order import redrive
from ordering.tests.factories import (
    an_announced_step,
    an_order,
    announcements,
    forget_announcements,
    make_due,
    rows,
    seconds_until_due,
    steps_of,
    the_order,
)

WAITING = [(State.PLACED, "OrderPlaced"), (State.CANCELLING, "OrderCancelled")]
PASSED = Position(known=True, floor=(1000, 1), end=(1000, 0))


@pytest.mark.parametrize(("state", "event"), WAITING)
def test_what_nobody_has_answered_is_announced_again_as_it_is_now(database: Database, state: State, event: str) -> None:
    order = an_order(database, state, revision=3, due_in=-1)
    an_announced_step(database, order.id, "1000-0")

    database.transact(announce_overdue, PASSED)

    assert announcements(database) == [(event, order.id, 3)]


def test_what_waits_for_no_answer_is_not_announced(database: Database) -> None:
    orders = [an_order(database, state, due_in=-1) for state in State if state not in dict(WAITING)]

    assert database.transact(announce_overdue, PASSED) == 0

    for order in orders:
        with pytest.raises(Conflict):
            database.transact(announce, order.id)
    assert announcements(database) == []


def test_what_is_not_due_is_left_alone(database: Database) -> None:
    an_order(database, State.PLACED, due_in=5)

    assert database.transact(announce_overdue, PASSED) == 0


def test_reminders_come_at_growing_distance_up_to_a_bound(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=-1)

    distances = []
    for _ in range(7):
        make_due(database, [order.id])
        database.transact(announce_overdue, PASSED)
        forget_announcements(database)
        distances.append(round(seconds_until_due(database, order.id) or 0))

    assert distances == sorted(distances)
    assert 15 <= distances[0] <= 30
    assert distances[-1] == LONGEST_DISTANCE_SECONDS
    assert the_order(database, order.id).reminders == 7


def test_what_still_waits_in_the_outbox_is_not_announced_twice(database: Database) -> None:
    order = an_order(database, State.FAILED)
    database.transact(redrive, order.id)
    make_due(database, [order.id])

    database.transact(announce_overdue, PASSED)

    assert announcements(database) == [("OrderPlaced", order.id, 2)]
    assert 0 < (seconds_until_due(database, order.id) or 0) <= STILL_AHEAD_SECONDS


def test_no_reminder_while_the_group_still_has_the_last_announcement_ahead_of_it(database: Database) -> None:
    entries = {"999-9": 1, "1000-0": 1, "1000-1": 0, "1500-0": 0, "2000-3": 0, "2000-4": 1}
    orders = {entry: an_order(database, State.PLACED, due_in=-1) for entry in entries}
    for entry, order in orders.items():
        an_announced_step(database, order.id, "1200-0")
        an_announced_step(database, order.id, entry)

    database.transact(announce_overdue, Position(known=True, floor=(1000, 1), end=(2000, 3)))

    reminders = {entry: the_order(database, order.id).reminders for entry, order in orders.items()}
    assert reminders == {entry: 1 if again else UNREAD for entry, again in entries.items()}
    reminded = [("OrderPlaced", order.id, 1) for entry, order in orders.items() if entries[entry]]
    assert sorted(announcements(database)) == reminded


def one_that_was_unread(database: Database) -> Order:
    """Announced as entry 1000-1, looked at while that waited to be read, and due again."""
    order = an_order(database, State.PLACED, due_in=-1)
    an_announced_step(database, order.id, "1000-1")
    database.transact(announce_overdue, Position(known=True, floor=(1000, 1), end=(1000, 1)))
    make_due(database, [order.id])
    return order


def test_what_was_read_only_now_has_its_time_to_be_answered(database: Database) -> None:
    order = one_that_was_unread(database)

    database.transact(announce_overdue, Position(known=True, floor=(1000, 2), end=(1000, 1)))

    assert announcements(database) == []
    assert 10 < (seconds_until_due(database, order.id) or 0) <= REMIND_AFTER_SECONDS
    make_due(database, [order.id])
    database.transact(announce_overdue, Position(known=True, floor=(1000, 2), end=(1000, 1)))
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_what_redis_forgot_while_it_was_unread_is_announced_at_once(database: Database) -> None:
    order = one_that_was_unread(database)

    database.transact(announce_overdue, Position(known=True, floor=(900, 0), end=(899, 0)))

    assert announcements(database) == [("OrderPlaced", order.id, 1)]
    assert the_order(database, order.id).reminders == 1


def test_what_was_read_but_waits_in_the_outbox_once_more_is_yet_to_be_read(database: Database) -> None:
    order = one_that_was_unread(database)
    database.transact(announce, order.id)

    database.transact(announce_overdue, Position(known=True, floor=(1000, 2), end=(1000, 1)))

    assert announcements(database) == [("OrderPlaced", order.id, 1)]
    assert the_order(database, order.id).reminders == UNREAD


async def test_nobody_is_reminded_while_answers_wait_to_be_read(database: Database, redis_client: Redis) -> None:
    order = an_order(database, State.PLACED, due_in=-1)
    await streams.ensure_group(redis_client, FULFILMENT.name, "ordering")
    await redis_client.xadd(FULFILMENT.name, {"payload": b"an answer"})

    await remind(database, redis_client)

    assert announcements(database) == []
    await redis_client.xreadgroup("ordering", "a consumer", {FULFILMENT.name: ">"})
    await remind(database, redis_client)
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


async def test_answers_that_no_group_is_there_to_read_hold_up_no_reminder(
    database: Database, redis_client: Redis
) -> None:
    order = an_order(database, State.PLACED, due_in=-1)
    await redis_client.xadd(FULFILMENT.name, {"payload": b"an answer"})

    await remind(database, redis_client)

    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_an_announcement_that_redis_has_forgotten_is_made_again(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=-1)
    an_announced_step(database, order.id, "1000-0")

    database.transact(announce_overdue, Position(known=False, floor=BEGINNING, end=BEGINNING))

    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_a_person_may_ask_at_any_time(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=500)

    assert database.transact(announce, order.id) == order

    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_hundreds_overdue_are_announced_batch_by_batch_each_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.announce_again.OVERDUE", OVERDUE.limit(7))
    orders = [an_order(database, State.PLACED, due_in=-1) for _ in range(20)]

    counts = [database.transact(announce_overdue, PASSED) for _ in range(4)]

    assert counts == [7, 7, 6, 0]
    assert sorted(announcements(database)) == [("OrderPlaced", order.id, 1) for order in orders]


async def entry_ids(client: Redis) -> list[bytes]:
    entries: Any = await client.xrange(ORDERING.name)
    return [entry_id for entry_id, _ in entries]


async def announced_through_redis(database: Database, client: Redis, count: int) -> Sequence[int]:
    """Orders whose announcements went through the relay, each with its step."""
    orders = [an_order(database, State.FAILED) for _ in range(count)]
    for order in orders:
        database.transact(redrive, order.id)
    await Relay(database, client, outbox, ORDERING, note_announced).relay()
    return [order.id for order in orders]


async def test_the_relay_notes_when_and_as_what_each_order_was_announced(
    database: Database, redis_client: Redis
) -> None:
    [order_id] = await announced_through_redis(database, redis_client, 1)

    [entry_id] = await entry_ids(redis_client)
    [(at, entry)] = rows(
        database, "SELECT at, JSON_UNQUOTE(JSON_EXTRACT(detail, '$.entry')) FROM order_steps WHERE step = 'announced'"
    )
    assert entry == entry_id.decode()
    assert int(at.timestamp() * 1000) % 1000 == parts(entry_id)[0] % 1000
    assert steps_of(database, order_id) == ["redriven", "announced"]


async def test_a_fulfilment_that_is_down_finds_each_order_once(database: Database, redis_client: Redis) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")

    for _ in range(3):
        make_due(database, ids)
        await remind(database, redis_client)

    assert announcements(database) == []


async def test_one_that_was_read_but_not_acknowledged_is_still_on_its_way(
    database: Database, redis_client: Redis
) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")
    await redis_client.xreadgroup("fulfilment", "a consumer", {ORDERING.name: ">"})

    make_due(database, ids)
    await remind(database, redis_client)

    assert announcements(database) == []


async def test_one_that_was_acknowledged_and_never_answered_is_announced_again(
    database: Database, redis_client: Redis
) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")
    await redis_client.xreadgroup("fulfilment", "a consumer", {ORDERING.name: ">"})
    await redis_client.xack(ORDERING.name, "fulfilment", *await entry_ids(redis_client))

    make_due(database, ids)
    await remind(database, redis_client)

    assert [order_id for _, order_id, _ in announcements(database)] == ids


async def test_the_last_second_lost_from_the_stream_is_announced_again(database: Database, redis_client: Redis) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.delete(ORDERING.name)
    await redis_client.xadd(ORDERING.name, {"an": "older entry"}, id="5-0")
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")

    make_due(database, ids)
    await remind(database, redis_client)

    assert [order_id for _, order_id, _ in announcements(database)] == ids


async def test_an_emptied_redis_makes_all_that_wait_due_at_once(database: Database, redis_client: Redis) -> None:
    waiting = [an_order(database, state, due_in=300) for state, _ in WAITING]
    others = [an_order(database, state, due_in=None) for state in (State.FAILED, State.FULFILLED, State.CANCELLED)]
    await notice_loss(database, redis_client)
    rows(database, "UPDATE orders SET due_at = NOW(6) + INTERVAL 300 SECOND WHERE due_at IS NOT NULL")
    await notice_loss(database, redis_client)
    undisturbed = [seconds_until_due(database, order.id) for order in waiting]

    await redis_client.flushall()
    await notice_loss(database, redis_client)
    await remind(database, redis_client)

    assert min(seconds or 0 for seconds in undisturbed) > 200
    assert sorted(order_id for _, order_id, _ in announcements(database)) == [order.id for order in waiting]
    assert {seconds_until_due(database, order.id) for order in others} == {None}


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
