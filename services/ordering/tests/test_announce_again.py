"""Redis may lose a second, or everything: what nobody answers is announced again, and what is on its way is not."""

from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import Connection

from chassis import outbox as chassis_outbox
from chassis import streams
from chassis.database import Database
from chassis.positions import Whereabouts, parts
from chassis.problems import Conflict
from chassis.relay import Relay
from contracts.streams import FULFILMENT, ORDERING
from harness.clocks import set_back
from ordering.announce_again import (
    FIRST_LOOK_SECONDS,
    MOST_TURNS_HELD_BACK,
    Reminders,
    announce,
    announce_overdue,
    overdue,
)
from ordering.cancel_order import cancel
from ordering.model import LONGEST_WAIT_SECONDS, REMIND_AFTER_SECONDS, WAITING, State, outbox
from ordering.note_announced import note_announced
from ordering.notice_loss import MARK, notice_loss
from ordering.orders import Order
from ordering.redrive_order import redrive
from ordering.tests.factories import (
    an_announced_step,
    an_order,
    announcements,
    forget_announcements,
    let_be_due,
    rows,
    seconds_until_due,
    steps_of,
    the_order,
)

EVENTS = {State.PLACED: "OrderPlaced", State.CANCELLING: "OrderCancelled"}
PASSED, AHEAD, GONE = Whereabouts.PASSED, Whereabouts.AHEAD, Whereabouts.GONE


def look(connection: Connection, where: Whereabouts, state: State = State.PLACED) -> int:
    """At all that is due, as if the last announcement of each were there."""
    due = overdue(connection, state)
    return announce_overdue(connection, due, dict.fromkeys(due.entries, where))


async def remind(database: Database, client: Redis) -> None:
    await Reminders(database, client).remind()


@pytest.mark.parametrize(("state", "event"), EVENTS.items())
def test_what_nobody_has_answered_is_announced_again_as_it_is_now(database: Database, state: State, event: str) -> None:
    order = an_order(database, state, revision=3, due_in=-1)
    an_announced_step(database, order.id, 3, "1000-0")

    database.transact(look, PASSED, state)

    assert announcements(database) == [(event, order.id, 3)]


def test_what_waits_for_no_answer_is_not_announced(database: Database) -> None:
    orders = [an_order(database, state, due_in=-1) for state in State if state not in EVENTS]

    assert [database.transact(look, PASSED, state) for state in WAITING] == [0, 0]

    for order in orders:
        with pytest.raises(Conflict):
            database.transact(announce, order.id)
    assert announcements(database) == []


def test_what_is_not_due_is_left_alone(database: Database) -> None:
    an_order(database, State.PLACED, due_in=5)

    assert database.transact(look, PASSED) == 0


def test_reminders_come_at_growing_distance_up_to_a_bound(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=-1)

    distances = []
    for _ in range(7):
        let_be_due(database, [order.id])
        database.transact(look, PASSED)
        forget_announcements(database)
        distances.append(round(seconds_until_due(database, order.id) or 0))

    assert distances == sorted(distances)
    assert 15 <= distances[0] <= 30
    assert distances[-1] == LONGEST_WAIT_SECONDS
    assert the_order(database, order.id).reminders == 7


def test_what_still_waits_in_the_outbox_is_not_announced_twice(database: Database) -> None:
    order = an_order(database, State.FAILED)
    database.transact(redrive, order.id)
    let_be_due(database, [order.id])

    database.transact(look, PASSED)

    assert announcements(database) == [("OrderPlaced", order.id, 2)]
    assert 0 < (seconds_until_due(database, order.id) or 0) <= FIRST_LOOK_SECONDS


def test_no_reminder_while_the_group_still_has_the_last_announcement_ahead_of_it(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=-1)

    database.transact(look, AHEAD)

    assert announcements(database) == []
    assert 0 < (seconds_until_due(database, order.id) or 0) <= FIRST_LOOK_SECONDS


def test_looks_at_what_is_not_read_yet_come_at_growing_distance_up_to_a_bound(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=-1)

    distances = []
    for _ in range(8):
        let_be_due(database, [order.id])
        database.transact(look, AHEAD)
        distances.append(round(seconds_until_due(database, order.id) or 0))

    assert distances == [5, 10, 20, 40, 80, 160, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS]
    assert announcements(database) == []


def one_that_was_unread(database: Database) -> Order:
    """Looked at while its announcement waited to be read, and due again."""
    order = an_order(database, State.PLACED, due_in=-1)
    database.transact(look, AHEAD)
    let_be_due(database, [order.id])
    return order


def test_what_was_read_only_now_has_its_time_to_be_answered(database: Database) -> None:
    order = one_that_was_unread(database)

    database.transact(look, PASSED)

    assert announcements(database) == []
    assert 10 < (seconds_until_due(database, order.id) or 0) <= REMIND_AFTER_SECONDS
    let_be_due(database, [order.id])
    database.transact(look, PASSED)
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_what_redis_forgot_while_it_was_unread_is_announced_at_once(database: Database) -> None:
    order = one_that_was_unread(database)

    database.transact(look, GONE)

    assert announcements(database) == [("OrderPlaced", order.id, 1)]
    assert the_order(database, order.id).reminders == 1


def test_what_was_read_but_waits_in_the_outbox_once_more_is_yet_to_be_read(database: Database) -> None:
    order = one_that_was_unread(database)
    database.transact(announce, order.id)

    database.transact(look, PASSED)

    assert announcements(database) == [("OrderPlaced", order.id, 1)]
    assert the_order(database, order.id).reminders == -2


async def test_nobody_is_reminded_while_answers_wait_to_be_read(database: Database, redis_client: Redis) -> None:
    order = an_order(database, State.PLACED, due_in=-1)
    await streams.ensure_group(redis_client, FULFILMENT.name, "ordering")
    await redis_client.xadd(FULFILMENT.name, {"payload": b"an answer"})

    await remind(database, redis_client)

    assert announcements(database) == []
    await redis_client.xreadgroup("ordering", "a consumer", {FULFILMENT.name: ">"})
    await remind(database, redis_client)
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


async def test_answers_that_are_never_all_read_hold_up_no_reminder_for_ever(
    database: Database, redis_client: Redis
) -> None:
    order = an_order(database, State.PLACED, due_in=-1)
    await streams.ensure_group(redis_client, FULFILMENT.name, "ordering")
    await redis_client.xadd(FULFILMENT.name, {"payload": b"an answer"})
    reminders = Reminders(database, redis_client)

    for _ in range(MOST_TURNS_HELD_BACK + 1):
        assert announcements(database) == []
        await reminders.remind()

    assert announcements(database) == [("OrderPlaced", order.id, 1)]


async def test_answers_that_no_group_is_there_to_read_hold_up_no_reminder(
    database: Database, redis_client: Redis
) -> None:
    order = an_order(database, State.PLACED, due_in=-1)
    await redis_client.xadd(FULFILMENT.name, {"payload": b"an answer"})

    await remind(database, redis_client)

    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_a_person_may_ask_at_any_time(database: Database) -> None:
    order = an_order(database, State.PLACED, due_in=500)

    assert database.transact(announce, order.id) == order

    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_hundreds_overdue_are_announced_batch_by_batch_each_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.announce_again.AT_ONCE", 7)
    orders = [an_order(database, State.PLACED, due_in=-1) for _ in range(20)]

    counts = [database.transact(look, PASSED) for _ in range(4)]

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
        let_be_due(database, ids)
        await remind(database, redis_client)

    assert announcements(database) == []


async def test_one_that_was_read_but_not_acknowledged_is_still_on_its_way(
    database: Database, redis_client: Redis
) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")
    await redis_client.xreadgroup("fulfilment", "a consumer", {ORDERING.name: ">"})

    let_be_due(database, ids)
    await remind(database, redis_client)

    assert announcements(database) == []


async def test_one_that_was_acknowledged_and_never_answered_is_announced_again(
    database: Database, redis_client: Redis
) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")
    await redis_client.xreadgroup("fulfilment", "a consumer", {ORDERING.name: ">"})
    await redis_client.xack(ORDERING.name, "fulfilment", *await entry_ids(redis_client))

    let_be_due(database, ids)
    await remind(database, redis_client)

    assert [order_id for _, order_id, _ in announcements(database)] == ids


async def test_the_last_second_lost_from_the_stream_is_announced_again(database: Database, redis_client: Redis) -> None:
    ids = await announced_through_redis(database, redis_client, 3)
    await redis_client.delete(ORDERING.name)
    await redis_client.xadd(ORDERING.name, {"an": "older entry"}, id="5-0")
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0")

    let_be_due(database, ids)
    await remind(database, redis_client)

    assert [order_id for _, order_id, _ in announcements(database)] == ids


async def read_by(client: Redis, consumer: str, *, acknowledge: bool) -> None:
    """Another consumer of fulfilment's group gets all that is unread."""
    delivered: Any = await client.xreadgroup("fulfilment", consumer, {ORDERING.name: ">"})
    if acknowledge:
        await client.xack(ORDERING.name, "fulfilment", *[entry_id for entry_id, _ in delivered[0][1]])


async def lose_from_redis(client: Redis, count: int) -> None:
    """The newest entries, as when Redis's last second is cut off; later ones have pushed the stream's end past them."""
    await client.xdel(ORDERING.name, *(await entry_ids(client))[-count:])
    await client.delete(MARK)


async def test_what_was_lost_is_announced_at_once_though_a_dead_consumer_still_holds_older_entries(
    database: Database, redis_client: Redis
) -> None:
    await notice_loss(database, redis_client)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0", mkstream=True)
    held = await announced_through_redis(database, redis_client, 1)
    await read_by(redis_client, "dead", acknowledge=False)
    lost = await announced_through_redis(database, redis_client, 2)
    await lose_from_redis(redis_client, 2)
    forget_announcements(database)

    await notice_loss(database, redis_client)
    await remind(database, redis_client)

    assert sorted(order_id for _, order_id, _ in announcements(database)) == lost
    assert the_order(database, held[0]).reminders == -1


async def test_what_was_handled_and_whose_answer_was_lost_is_announced_at_once_though_a_dead_consumer_holds_older_entries(
    database: Database, redis_client: Redis
) -> None:
    await notice_loss(database, redis_client)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0", mkstream=True)
    await announced_through_redis(database, redis_client, 1)
    await read_by(redis_client, "dead", acknowledge=False)
    handled = await announced_through_redis(database, redis_client, 2)
    await read_by(redis_client, "alive", acknowledge=True)
    await redis_client.delete(MARK)

    await notice_loss(database, redis_client)
    await remind(database, redis_client)

    assert sorted(order_id for _, order_id, _ in announcements(database)) == handled


@pytest.mark.parametrize("sent_late", [False, True])
async def test_an_old_announcement_of_a_dead_relay_hides_no_lost_cancel(
    database: Database, redis_client: Redis, sent_late: bool
) -> None:
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0", mkstream=True)
    relay = Relay(database, redis_client, outbox, ORDERING, note_announced)
    order = an_order(database, State.FAILED)
    database.transact(redrive, order.id)
    database.transact(chassis_outbox.claim, outbox, 1)  # by a relay that dies now
    database.transact(cancel, order.id)
    await relay.relay()
    await redis_client.xdel(ORDERING.name, *await entry_ids(redis_client))
    if sent_late:
        rows(database, "UPDATE outbox SET claimed_until = NULL")
        await relay.relay()

    let_be_due(database, [order.id])
    await remind(database, redis_client)

    assert announcements(database)[-1] == ("OrderCancelled", order.id, 3)


def test_a_database_clock_set_back_delays_no_reminder(database: Database) -> None:
    order = an_order(database, State.PLACED)

    def overdue_an_hour_ago(connection: Connection) -> list[int]:
        with set_back(connection, 3600):
            return list(overdue(connection, State.PLACED).entries)

    assert list(database.transact(overdue, State.PLACED).entries) == []
    assert database.transact(overdue_an_hour_ago) == [order.id]
