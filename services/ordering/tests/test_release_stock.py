"""Stock of cancelled orders comes back once, and the order is cancelled only when catalog has confirmed it."""

import asyncio

import pytest

from chassis.database.transactions import Database
from chassis.problems import Unavailable
from ordering.catalog_client import CatalogClient
from ordering.model import State
from ordering.orders import Order
from ordering.release_stock import release, released
from ordering.resume_orders import LOOK_AGAIN_SECONDS
from ordering.tests.catalog_stand_in import CatalogStandIn, Mishap
from ordering.tests.factories import an_order, let_be_due, rows, seconds_until_due, states, steps_of


def a_releasing_order(database: Database, catalog: CatalogStandIn) -> Order:
    order = an_order(database, State.RELEASING, revision=2, due_in=-1)
    catalog.held[order.id] = {1: 2}
    catalog.stock[1] -= 2
    return order


async def test_the_stock_comes_back_and_then_the_order_is_cancelled(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    order = a_releasing_order(database, catalog)

    more = await release(database, catalog_client)

    assert not more
    assert states(database) == {order.id: "cancelled"}
    assert (catalog.stock[1], catalog.held) == (1000, {})
    assert steps_of(database, order.id) == ["stock_returned"]
    assert seconds_until_due(database, order.id) is None


@pytest.mark.parametrize("mishap", ["no answer", "reset", "answer lost", 500, 503])
async def test_while_catalog_is_away_the_order_waits_and_is_due_again(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, mishap: Mishap
) -> None:
    order = a_releasing_order(database, catalog)
    catalog.always = mishap

    with pytest.raises(Unavailable):
        await release(database, catalog_client)

    assert states(database) == {order.id: "releasing"}
    assert 0 < (seconds_until_due(database, order.id) or 0) <= LOOK_AGAIN_SECONDS


async def test_an_answer_that_was_lost_returns_the_stock_once(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    order = a_releasing_order(database, catalog)
    catalog.mishaps.append("answer lost")
    with pytest.raises(Unavailable):
        await release(database, catalog_client)
    let_be_due(database, [order.id])

    await release(database, catalog_client)

    assert catalog.released == [[order.id]] * 2
    assert catalog.stock[1] == 1000
    assert steps_of(database, order.id) == ["stock_returned"]


@pytest.mark.parametrize("mishap", [404, "nonsense"])
async def test_an_odd_answer_confirms_nothing_and_is_not_repeated_in_the_log(
    database: Database,
    catalog: CatalogStandIn,
    catalog_client: CatalogClient,
    mishap: Mishap,
    caplog: pytest.LogCaptureFixture,
) -> None:
    a_releasing_order(database, catalog)
    catalog.mishaps.append(mishap)

    await release(database, catalog_client)

    assert set(states(database).values()) == {"releasing"}
    assert "UnexpectedAnswer" in caplog.text
    assert "outcomes" not in caplog.text


async def test_only_what_catalog_confirms_is_cancelled(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, caplog: pytest.LogCaptureFixture
) -> None:
    known, unknown = a_releasing_order(database, catalog), a_releasing_order(database, catalog)
    catalog.unheard_of = {unknown.id}

    await release(database, catalog_client)

    assert states(database) == {known.id: "cancelled", unknown.id: "releasing"}
    assert f"[{unknown.id}]" in caplog.text


async def test_two_workers_at_once_cancel_it_once(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    orders = [a_releasing_order(database, catalog) for _ in range(20)]

    await asyncio.gather(*(release(database, catalog_client) for _ in range(3)))

    assert set(states(database).values()) == {"cancelled"}
    assert catalog.stock[1] == 1000
    assert rows(database, "SELECT COUNT(*) FROM order_steps") == [(len(orders),)]


def test_a_commit_whose_answer_was_lost_shows_one_return(database: Database) -> None:
    order = an_order(database, State.RELEASING)

    database.transact(released, [order.id])
    database.transact(released, [order.id])

    assert steps_of(database, order.id) == ["stock_returned"]


async def test_no_other_orders_stock_is_released(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    expected = {an_order(database, state, due_in=-1).id: state for state in State if state is not State.RELEASING}

    await release(database, catalog_client)
    database.transact(released, list(expected))

    assert catalog.released == []
    assert states(database) == expected
