"""What operators and their machines ask: health, and the private routes."""

import asyncio

import httpx

from chassis.database.transactions import Database
from chassis.process import heartbeat
from ordering.model import State, workers
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.conftest import TOKEN
from ordering.tests.factories import a_pending_order, an_order, announcements, states, steps_of, the_order

PRIVATE = {"Authorization": f"Bearer {TOKEN}"}


async def test_health_is_healthy_when_an_order_can_be_placed_and_fulfilled(
    client: httpx.AsyncClient, database: Database
) -> None:
    database.transact(heartbeat.record, workers, "a" * 32, "a host")

    answer = await client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_health_names_everything_that_is_down(
    client: httpx.AsyncClient, catalog: CatalogStandIn, fulfilment: CatalogStandIn
) -> None:
    catalog.always, fulfilment.always = 503, "reset"

    answer = await client.get("/health")

    assert answer.status_code == 503
    assert set(answer.json()["down"]) == {"ordering worker", "catalog", "fulfilment"}


async def test_a_neighbour_that_says_nothing_is_down_and_keeps_nobody_waiting(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn, fulfilment: CatalogStandIn
) -> None:
    database.transact(heartbeat.record, workers, "a" * 32, "a host")
    fulfilment.always = "no answer"

    answer = await asyncio.wait_for(client.get("/health"), 5)

    assert (answer.status_code, set(answer.json()["down"])) == (503, {"fulfilment"})


async def test_the_process_is_ready_although_its_neighbours_are_not(
    client: httpx.AsyncClient, catalog: CatalogStandIn
) -> None:
    catalog.always = 503

    assert [(await client.get(path)).status_code for path in ("/readyz", "/livez", "/metrics")] == [200] * 3


async def test_private_routes_need_the_token(client: httpx.AsyncClient, database: Database) -> None:
    order = an_order(database, State.FAILED)
    calls = [
        ("POST", f"/orders/{order.id}/redrive"),
        ("POST", f"/orders/{order.id}/announce"),
        ("POST", f"/orders/{order.id}/cancel?force=true"),
        ("GET", "/stock-proof"),
        ("GET", "/dead-letters"),
        ("POST", "/dead-letters/1/redrive"),
        ("DELETE", "/dead-letters/1"),
    ]

    for authorization in ("", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x"):
        headers = {"Authorization": authorization} if authorization else {}
        answers = [await client.request(method, f"/private{path}", headers=headers) for method, path in calls]

        assert {answer.status_code for answer in answers} == {401}, authorization
    assert states(database) == {order.id: "failed"}


async def test_an_operator_redrives_and_announces(client: httpx.AsyncClient, database: Database) -> None:
    order = an_order(database, State.FAILED)

    redriven = await client.post(f"/private/orders/{order.id}/redrive", headers=PRIVATE)
    announced = await client.post(f"/private/orders/{order.id}/announce", headers=PRIVATE)

    assert [answer.status_code for answer in (redriven, announced)] == [200, 200]
    assert redriven.json()["state"] == "placed"
    assert announcements(database) == [("OrderPlaced", order.id, 2)] * 2
    assert steps_of(database, order.id) == ["redriven"]


async def test_what_can_not_be_redriven_or_announced_is_a_conflict(
    client: httpx.AsyncClient, database: Database
) -> None:
    pending = a_pending_order(database)

    answers = [
        await client.post(f"/private/orders/{pending.id}/{verb}", headers=PRIVATE) for verb in ("redrive", "announce")
    ]

    assert [answer.status_code for answer in answers] == [409, 409]


async def test_only_an_operator_can_cancel_by_force(client: httpx.AsyncClient, database: Database) -> None:
    one, other = (an_order(database, State.FAILED) for _ in range(2))

    asked = await client.post(f"/api/v1/orders/{one.id}/cancel?force=true")
    forced = await client.post(f"/private/orders/{other.id}/cancel?force=true", headers=PRIVATE)

    assert [answer.json()["state"] for answer in (asked, forced)] == ["cancelling", "cancelling"]
    assert [the_order(database, order.id).cancel_forced for order in (one, other)] == [False, True]


async def test_force_is_said_in_no_other_words_than_true_and_false(
    client: httpx.AsyncClient, database: Database
) -> None:
    order = an_order(database, State.PLACED)

    for word in ("1", "yes", "on", "True", "t", ""):
        answer = await client.post(f"/private/orders/{order.id}/cancel?force={word}", headers=PRIVATE)
        assert answer.status_code == 422, word

    assert states(database) == {order.id: "placed"}
