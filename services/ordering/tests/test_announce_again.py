"""Redis may lose a second, or everything: what nobody answers is announced again, and nothing else is."""

from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.messaging.outbox import Batch
from chassis.messaging.relay import Relay
from chassis.problems import Conflict
from chassis.web.access import EVERYBODY
from contracts.batches import names
from contracts.streams import ORDERING, PAYLOAD_FIELD
from harness.clocks import set_back
from harness.statements import statements
from ordering.announce_again import announce, answered
from ordering.cancel_order import cancel
from ordering.model import State, outbox
from ordering.notice_loss import MARK, notice_loss
from ordering.orders import Order
from ordering.place_orders import decide
from ordering.redrive_order import redrive
from ordering.tests.factories import a_pending_order, an_order, announcements, held, let_all_be_sent_again, rows

EVENTS = {State.PLACED: "OrderPlaced", State.CANCELLING: "OrderCancelled"}


def sent_again(database: Database) -> list[tuple[int, int]]:
    """What goes out when everything is due again, as (order id, revision)."""
    let_all_be_sent_again(database)

    def remind(connection: Connection) -> list[Batch]:
        due = outbox.claim_due(connection, 100)
        done = answered(connection, due)
        outbox.remove(connection, done or [0])
        return [batch for batch in due if batch.id not in done]

    return [name for batch in database.transact(remind) for name in names(batch.payload)]


def placed_together(database: Database, count: int) -> list[Order]:
    """Decided in one commit, so announced in one batch."""
    return database.transact(decide, [held(a_pending_order(database)) for _ in range(count)])


def answer(database: Database, order: Order, state: State = State.FULFILLED) -> None:
    rows(database, "UPDATE orders SET state = :state WHERE id = :id", id=order.id, state=state)


def test_orders_decided_together_are_announced_together(database: Database) -> None:
    orders = placed_together(database, 3)

    [(payload,)] = rows(database, "SELECT payload FROM outbox")
    assert names(payload) == [(order.id, 1) for order in orders]


def test_a_batch_is_announced_again_until_all_of_its_orders_are_answered(database: Database) -> None:
    first, second = placed_together(database, 2)

    answer(database, first)
    assert sent_again(database) == [(first.id, 1), (second.id, 1)]
    answer(database, second, State.FAILED)
    assert sent_again(database) == []


@pytest.mark.parametrize("state", [state for state in State if state not in EVENTS])
def test_what_waits_for_no_answer_is_not_announced(database: Database, state: State) -> None:
    [order] = placed_together(database, 1)
    answer(database, order, state)

    assert sent_again(database) == []
    with pytest.raises(Conflict):
        database.transact(announce, order.id, EVERYBODY)


def test_what_was_begun_anew_since_is_not_announced_as_it_was(database: Database) -> None:
    """Its own batch tells how it stands now."""
    [order] = placed_together(database, 1)
    database.transact(cancel, order.id, EVERYBODY)

    assert sent_again(database) == [(order.id, 2)]
    assert announcements(database) == [("OrderCancelled", order.id, 2)]


@pytest.mark.parametrize(("state", "event"), EVENTS.items())
def test_a_person_may_ask_at_any_time(database: Database, state: State, event: str) -> None:
    order = an_order(database, state, revision=3)

    assert database.transact(announce, order.id, EVERYBODY) == order

    assert announcements(database) == [(event, order.id, 3)]


def test_any_number_of_batches_costs_as_many_statements_as_one(database: Database) -> None:
    def again(connection: Connection) -> None:
        answered(connection, outbox.claim_due(connection, 100))

    placed_together(database, 1)
    let_all_be_sent_again(database)
    one = statements(database, again)
    for _ in range(4):
        placed_together(database, 5)
    let_all_be_sent_again(database)

    assert statements(database, again) == one


async def stream(client: Redis) -> list[tuple[int, int]]:
    """Everything on it, as (order id, revision)."""
    entries: Any = await client.xrange(ORDERING.name)
    return [name for _, fields in entries for name in names(fields[PAYLOAD_FIELD])]


async def lose(client: Redis, count: int) -> None:
    """The newest entries, as when Redis's last second is cut off."""
    entries: Any = await client.xrevrange(ORDERING.name, count=count)
    await client.xdel(ORDERING.name, *[entry_id for entry_id, _ in entries])
    await client.delete(MARK)


async def test_what_redis_lost_is_announced_as_soon_as_the_loss_is_noticed(
    database: Database, redis_client: Redis
) -> None:
    relay = Relay(database, redis_client, outbox, ORDERING, answered)
    await notice_loss(database, redis_client)
    orders = placed_together(database, 3)
    await relay.relay()
    await relay.remind()
    before = await stream(redis_client)
    await lose(redis_client, 1)

    await notice_loss(database, redis_client)
    await relay.relay()

    assert before == await stream(redis_client) == [(order.id, 1) for order in orders]


async def test_what_was_lost_is_announced_at_once_though_a_dead_consumer_still_holds_older_entries(
    database: Database, redis_client: Redis
) -> None:
    relay = Relay(database, redis_client, outbox, ORDERING, answered)
    await notice_loss(database, redis_client)
    await redis_client.xgroup_create(ORDERING.name, "fulfilment", id="0", mkstream=True)
    [held_by_dead] = placed_together(database, 1)
    await relay.relay()
    await redis_client.xreadgroup("fulfilment", "dead", {ORDERING.name: ">"})
    [lost] = placed_together(database, 1)
    await relay.relay()
    await lose(redis_client, 1)
    [newer] = placed_together(database, 1)
    await relay.relay()

    await notice_loss(database, redis_client)
    await relay.relay()

    assert (await stream(redis_client)).count((lost.id, 1)) == 1
    assert {order_id for order_id, _ in await stream(redis_client)} == {held_by_dead.id, lost.id, newer.id}


@pytest.mark.parametrize("sent_late", [False, True])
async def test_an_old_announcement_of_a_dead_relay_hides_no_lost_cancel(
    database: Database, redis_client: Redis, sent_late: bool
) -> None:
    relay = Relay(database, redis_client, outbox, ORDERING, answered)
    order = an_order(database, State.FAILED)
    database.transact(redrive, order.id, EVERYBODY)
    database.transact(outbox.claim_new, 1)  # by a relay that dies now
    database.transact(cancel, order.id, EVERYBODY)
    await relay.relay()
    assert await stream(redis_client) == [(order.id, 3)]
    await redis_client.delete(ORDERING.name)
    if sent_late:
        await redis_client.xadd(
            ORDERING.name, {PAYLOAD_FIELD: rows(database, "SELECT payload FROM outbox ORDER BY id")[0][0]}
        )

    let_all_be_sent_again(database)
    await relay.remind()

    assert (await stream(redis_client))[-1] == (order.id, 3)


def test_a_database_clock_set_back_delays_no_reminder(database: Database) -> None:
    placed_together(database, 1)
    database.transact(outbox.claim_new, 100)

    def due_an_hour_ago(connection: Connection) -> int:
        with set_back(connection, 3600):
            return len(outbox.claim_due(connection, 100))

    assert database.transact(outbox.claim_due, 100) == []
    assert database.transact(due_an_hour_ago) == 1
