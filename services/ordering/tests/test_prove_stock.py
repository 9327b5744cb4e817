"""What catalog holds against the orders it is held for: planted differences are found, and no others."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text

from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY
from contracts.reservations import Difference, HeldLines, StockProof
from ordering.cancel_order import cancel
from ordering.catalog_client import CatalogClient
from ordering.model import State, orders
from ordering.orders import Order
from ordering.place_orders import Stages, place
from ordering.prove_stock import HOLDING, NEXT, _next, prove
from ordering.release_stock import release
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.factories import a_new_order, an_order, let_be_due, rows


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordering.prove_stock.SETTLING_SECONDS", 0.05)


async def differences(database: Database, client: CatalogClient) -> set[str]:
    proof = await prove(database, client)
    return {difference.about for difference in proof.differences}


def held_for(catalog: CatalogStandIn, order: Order) -> None:
    catalog.held[order.id] = {item.product_id: item.quantity for item in order.items}


async def test_every_state_holds_what_it_should(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    for state in [*HOLDING, State.PENDING]:
        held_for(catalog, an_order(database, state))
    for state in (State.PENDING, State.RELEASING, State.CANCELLED, State.REJECTED):
        an_order(database, state)

    assert await differences(database, catalog_client) == set()


async def test_an_order_for_which_nothing_is_held_is_found(database: Database, catalog_client: CatalogClient) -> None:
    planted = [an_order(database, state) for state in HOLDING - {State.RELEASING}]

    proof = await prove(database, catalog_client)

    assert sorted(proof.differences, key=lambda found: found.about) == [
        Difference(about=f"order {order.id}", says={"order": order.state, "held": "{}"}) for order in planted
    ]


@pytest.mark.parametrize("state", [State.CANCELLED, State.REJECTED])
async def test_stock_held_for_an_order_that_should_have_none_is_found(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, state: State
) -> None:
    order = an_order(database, state)
    held_for(catalog, order)

    assert await differences(database, catalog_client) == {f"order {order.id}"}


async def test_stock_held_for_no_order_at_all_is_found(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    catalog.held[4711] = {1: 2}

    proof = await prove(database, catalog_client)

    assert [(d.about, d.says["order"]) for d in proof.differences] == [("order 4711", "unknown to ordering")]


@pytest.mark.parametrize("held", [{1: 3}, {2: 2}, {1: 2, 2: 1}])
async def test_other_quantities_or_products_than_ordered_are_found(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, held: dict[int, int]
) -> None:
    planted = [an_order(database, state) for state in (State.PLACED, State.RELEASING, State.PENDING)]
    catalog.held = {order.id: held for order in planted}

    assert await differences(database, catalog_client) == {f"order {order.id}" for order in planted}


async def test_one_planted_difference_is_found_among_many_pages(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.prove_stock.MAX_RESERVATIONS", 7)
    planted = [an_order(database, State.PLACED) for _ in range(30)]
    for order in planted:
        held_for(catalog, order)
    del catalog.held[planted[11].id]
    catalog.held[planted[-1].id + 5] = {1: 1}

    assert await differences(database, catalog_client) == {f"order {planted[11].id}", f"order {planted[-1].id + 5}"}


async def test_catalogs_own_differences_are_passed_on(
    database: Database, catalog_client: CatalogClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Difference(about="product 1", says={"stock": 3, "movements": 4})

    async def proof(_client: CatalogClient) -> StockProof:
        return StockProof(products=1, differences=[own])

    monkeypatch.setattr(CatalogClient, "stock_proof", proof)

    assert (await prove(database, catalog_client)).differences == [own]


async def test_a_proof_may_take_longer_than_a_call_that_a_buyer_waits_for(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient
) -> None:
    catalog.proof_takes = 1.0  # the client gives other calls half of that

    assert await differences(database, catalog_client) == set()


async def test_no_statement_of_a_proof_steps_over_orders_that_hold_nothing(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be millions of them between two that hold."""
    monkeypatch.setattr("ordering.prove_stock.NEXT", NEXT.limit(3))
    for state in [State.PLACED, *[State.REJECTED] * 20, State.PLACED]:
        if state is State.PLACED:
            held_for(catalog, an_order(database, state))
        else:
            an_order(database, state)
    read: list[int] = []

    def counted(connection: Connection, after: int) -> list[Order]:
        before = _rows_read(connection)
        page = _next(connection, after)
        read.append(_rows_read(connection) - before)
        return page

    monkeypatch.setattr("ordering.prove_stock._next", counted)

    assert await differences(database, catalog_client) == set()
    assert 0 < max(read) <= 3


def _rows_read(connection: Connection) -> int:
    rows = connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read_next'"))
    return sum(int(row[1]) for row in rows)


async def test_orders_that_move_meanwhile_raise_no_false_alarm(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, placing: Stages
) -> None:
    stop = asyncio.Event()

    async def trade() -> int:
        """Place, cancel, and give the stock back, as fast as it goes."""
        rounds = 0
        while not stop.is_set():
            placed = await asyncio.gather(*(place(a_new_order(), placing, 5) for _ in range(4)))
            for order in placed[:3]:
                await database.run(cancel, order.id, EVERYBODY)
            ids = [order.id for order in placed[:2]]
            await database.run(rows_of, ids)
            await release(database, catalog_client)
            rounds += 1
        return rounds

    def rows_of(_connection: object, ids: list[int]) -> None:
        rows(database, "UPDATE orders SET state = 'releasing' WHERE id IN :ids", ids=tuple(ids))
        let_be_due(database, ids)

    trading = asyncio.create_task(trade())
    proofs = [await differences(database, catalog_client) for _ in range(5)]
    stop.set()

    assert proofs == [set()] * 5
    assert await trading > 1
    assert catalog.released != []


async def test_an_order_cancelled_between_the_look_here_and_the_look_there_is_no_difference(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_for(catalog, an_order(database, State.PLACED))
    real = CatalogClient.held

    async def held_a_moment_later(client: CatalogClient, ids: Sequence[int]) -> list[HeldLines]:
        await database.run(lambda connection: connection.execute(orders.update().values(state=State.CANCELLED)).close())
        catalog.held.clear()
        return await real(client, ids)

    monkeypatch.setattr(CatalogClient, "held", held_a_moment_later)

    assert await differences(database, catalog_client) == set()


async def test_a_difference_is_found_while_orders_move(
    database: Database, catalog: CatalogStandIn, catalog_client: CatalogClient, placing: Stages
) -> None:
    planted = an_order(database, State.PLACED)
    moving = asyncio.gather(*(place(a_new_order(), placing, 5) for _ in range(50)))

    found = await differences(database, catalog_client)
    await moving

    assert found == {f"order {planted.id}"}
