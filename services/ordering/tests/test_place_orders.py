"""Placing through all three stages, with a catalog that misbehaves: unknown is not failed."""

import asyncio

import pytest

from chassis.database.transactions import Database
from chassis.problems import Unavailable, Unprocessable
from harness.engine import MySQLServer
from ordering.model import State
from ordering.orders import Order
from ordering.place_orders import InDoubt, NotAccepted, Stages, Wanted, place
from ordering.tests.catalog_stand_in import CatalogStandIn, Mishap
from ordering.tests.factories import a_key_held, a_new_order, announcements, rows, states

MISHAPS: list[Mishap] = ["no answer", "reset", "answer lost", "nonsense", "other orders", 500, 503, 404, 409, 422, 204]

PATIENCE = 20


@pytest.mark.parametrize("mishap", MISHAPS)
async def test_an_unknown_outcome_is_asked_for_again_with_the_same_id(
    database: Database, placing: Stages, catalog: CatalogStandIn, mishap: Mishap
) -> None:
    catalog.mishaps.append(mishap)

    order = await place(a_new_order("a key", (1, 2)), placing, PATIENCE)

    assert order.state is State.PLACED
    assert {id_ for asked in catalog.asked for id_ in asked} == {order.id}
    assert (catalog.stock[1], catalog.held) == (998, {order.id: {1: 2}})
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


@pytest.mark.parametrize("mishap", ["no answer", "answer lost", 503, 404])
async def test_at_the_deadline_the_client_is_told_the_id_and_the_key_to_come_back_with(
    database: Database, placing: Stages, catalog: CatalogStandIn, mishap: Mishap
) -> None:
    catalog.always = mishap

    with pytest.raises(InDoubt) as told:
        await place(a_new_order("a key"), placing, 1)

    [(order_id, state)] = states(database).items()
    assert (told.value.status, told.value.headers) == (503, {"Retry-After": "1"})
    assert told.value.extras == {"order_id": order_id, "idempotency_key": "a key"}
    assert state == "pending"


async def test_an_order_in_doubt_is_never_released(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    catalog.always = "answer lost"

    with pytest.raises(InDoubt):
        await place(a_new_order("a key", (1, 2)), placing, 1)

    assert catalog.released == []
    assert catalog.held == {1: {1: 2}}
    assert states(database) == {1: "pending"}


async def test_a_later_retry_with_the_key_finishes_the_order_in_doubt(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    catalog.always = "answer lost"
    with pytest.raises(InDoubt):
        await place(a_new_order("a key", (1, 2)), placing, 1)
    catalog.always = None

    order = await place(a_new_order("a key", (1, 2)), placing, PATIENCE)

    assert (order.id, order.state) == (1, State.PLACED)
    assert catalog.stock[1] == 998
    assert announcements(database) == [("OrderPlaced", 1, 1)]


async def test_an_order_that_breaks_catalog_leaves_the_others_of_its_batch_unharmed(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    catalog.mishaps.append(422)

    placed = await asyncio.gather(*(place(a_new_order(), placing, PATIENCE) for _ in range(8)))

    assert {order.state for order in placed} == {State.PLACED}
    assert catalog.stock[1] == 1000 - 8 * 2


async def test_an_undecided_order_is_asked_for_until_it_is_decided(placing: Stages, catalog: CatalogStandIn) -> None:
    catalog.undecided = 3

    order = await place(a_new_order(), placing, PATIENCE)

    assert order.state is State.PLACED
    assert catalog.asked == [[order.id]] * 4


async def test_one_key_sent_fifty_times_at_once_makes_one_order_and_takes_stock_once(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    answers = await asyncio.gather(*(place(a_new_order("a key", (1, 2)), placing, PATIENCE) for _ in range(50)))

    assert {(order.id, order.state) for order in answers} == {(1, State.PLACED)}
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(1,)]
    assert catalog.stock[1] == 998
    assert len(announcements(database)) == 1


async def test_many_at_once_share_calls_and_each_gets_its_own_order(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    wanted = [a_new_order(None, (1, 1 + n % 5)) for n in range(100)]

    placed = await asyncio.gather(*(place(new, placing, PATIENCE) for new in wanted))

    assert [order.request_key.decode() for order in placed] == [new.key for new in wanted]
    assert len(catalog.asked) < 60
    assert sorted(event[1] for event in announcements(database)) == sorted(order.id for order in placed)


async def test_a_decided_order_is_answered_without_asking_catalog(placing: Stages, catalog: CatalogStandIn) -> None:
    first = await place(a_new_order("a key", (1, 2000)), placing, PATIENCE)
    catalog.always = 500

    again = await place(a_new_order("a key", (1, 2000)), placing, PATIENCE)

    assert first.state is again.state is State.REJECTED
    assert first.refusal == again.refusal


async def test_another_body_under_the_key_reaches_no_catalog(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    await place(a_new_order("a key", (1, 2)), placing, PATIENCE)

    with pytest.raises(Unprocessable):
        await place(a_new_order("a key", (1, 3)), placing, PATIENCE)

    assert len(catalog.asked) == 1


async def test_a_client_that_leaves_in_the_middle_leaves_an_order_that_can_be_finished(
    placing: Stages, catalog: CatalogStandIn
) -> None:
    catalog.mishaps.append("no answer")
    leaving = asyncio.create_task(place(a_new_order("a key", (1, 2)), placing, PATIENCE))
    await asyncio.sleep(0.1)
    leaving.cancel()

    order = await place(a_new_order("a key", (1, 2)), placing, PATIENCE)

    assert isinstance(order, Order)
    assert (order.id, order.state, catalog.stock[1]) == (1, State.PLACED, 998)


async def test_no_transaction_is_open_while_catalog_is_slow(
    placing: Stages, catalog: CatalogStandIn, mysql_server: MySQLServer
) -> None:
    catalog.always = "no answer"
    slow = asyncio.create_task(place(a_new_order(), placing, 0.6))
    while not catalog.calls:
        await asyncio.sleep(0.01)

    open_transactions = mysql_server.execute("SELECT trx_query FROM information_schema.innodb_trx")

    assert open_transactions == []
    with pytest.raises(InDoubt):
        await slow


async def test_who_is_told_that_his_order_was_not_accepted_has_no_order(database: Database, placing: Stages) -> None:
    with a_key_held(database, "held"):
        first = asyncio.create_task(place(a_new_order("held"), placing, PATIENCE))
        await asyncio.sleep(0.2)  # it has begun, and what comes now queues behind it

        with pytest.raises(Unavailable) as told:
            await place(a_new_order("too late"), placing, 0.1)

    await first
    await placing.accept.drained()
    assert told.value.detail.startswith("The order was not accepted")
    assert [key for (key,) in rows(database, "SELECT request_key FROM orders")] == [b"held"]


async def test_who_can_not_be_told_whether_his_order_was_accepted_gets_the_key_to_ask_with(
    database: Database, placing: Stages
) -> None:
    with a_key_held(database, "held"), pytest.raises(Unavailable) as told:
        await place(a_new_order("held"), placing, 0.3)

    await placing.accept.drained()
    assert told.value.extras == {"idempotency_key": "held"}
    assert "not accepted" not in told.value.detail
    assert [key for (key,) in rows(database, "SELECT request_key FROM orders")] == [b"held"]


async def test_a_database_that_is_away_while_an_order_is_accepted_leaves_it_unknown(
    database: Database, mysql_server: MySQLServer, placing: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.database.transactions.ATTEMPTS", 1)
    mysql_server.engine.kill()
    try:
        with pytest.raises(Unavailable) as told:
            await place(a_new_order("a key"), placing, PATIENCE)
    finally:
        mysql_server.engine.start()

    assert told.value.extras == {"idempotency_key": "a key"}


@pytest.mark.parametrize("left", [0, -1])
async def test_who_has_no_time_left_is_told_so_and_nothing_is_begun(
    database: Database, placing: Stages, catalog: CatalogStandIn, left: float
) -> None:
    with pytest.raises(NotAccepted):
        await place(a_new_order("too late"), placing, left)

    await placing.accept.drained()
    assert rows(database, "SELECT * FROM orders") == []
    assert catalog.calls == 0


async def test_catalog_is_told_how_long_the_most_patient_of_a_batch_waits(
    placing: Stages, catalog: CatalogStandIn
) -> None:
    orders = [await place(a_new_order(), placing, PATIENCE) for _ in range(2)]
    now = asyncio.get_running_loop().time()

    for patience in ((0.2, 0.4), (0.2, 60)):
        wanted = [Wanted(order.reservation(), now + left) for order, left in zip(orders, patience, strict=True)]
        await asyncio.gather(*(placing.reserve(one) for one in wanted))

    patience_of_the_client = 500
    *_, first, second = catalog.told_times
    assert 200 < first <= 400
    assert second == patience_of_the_client


async def test_a_call_to_catalog_ends_when_nobody_waits_for_it_any_more(
    placing: Stages, catalog: CatalogStandIn
) -> None:
    catalog.always = "no answer"

    with pytest.raises(InDoubt):
        await place(a_new_order(), placing, 0.2)

    await placing.reserve.drained()
    assert all(time <= 200 for time in catalog.told_times)
    assert catalog.calls == 1
