"""Who did what to an order, and by which request: kept with it, told to those who go on with it, shown to staff."""

import logging
from typing import Any

import httpx
import pytest

from chassis import request_ids
from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY, Caller, Role
from ordering.cancel_order import cancel
from ordering.model import State
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.conftest import TOKEN
from ordering.tests.factories import an_order, outbox_events, rows, the_order
from ordering.timeline import timeline

ORDERS = "/api/v1/orders"
ONE = {"product_id": 1, "quantity": 1}
STAFF = Caller("alice", Role.STAFF)


async def place(client: httpx.AsyncClient, request_id: str | None, key: str = "a key", **query: str) -> httpx.Response:
    named = {} if request_id is None else {"X-Request-Id": request_id}
    return await client.post(ORDERS, json=ONE, headers={"Idempotency-Key": key, **named}, params=query)


def details(database: Database, order_id: int, caller: Caller) -> list[dict[str, Any]]:
    """Of the steps that somebody asked for."""
    asked = {"cancel_requested", "redriven"}
    return [step.detail for step in database.transact(timeline, order_id, caller) if step.step in asked]


@pytest.mark.parametrize("query", [{}, {"past": "not"}], ids=["past FastAPI", "by FastAPI"])
async def test_the_request_that_places_an_order_is_kept_with_it_and_told(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn, query: dict[str, str]
) -> None:
    placed = await place(client, "r-1", **query)

    order_id = placed.json()["id"]
    assert the_order(database, order_id).request_id == "r-1"
    assert catalog.request_ids == {order_id: "r-1"}
    assert [event["request_id"] for event in outbox_events(database)] == ["r-1"]


async def test_without_one_nothing_is_said(client: httpx.AsyncClient, database: Database) -> None:
    placed = await place(client, None)

    assert the_order(database, placed.json()["id"]).request_id is None
    assert ["request_id" in event for event in outbox_events(database)] == [False]


async def test_an_order_stays_of_its_first_request_whoever_finishes_it(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn
) -> None:
    catalog.always = 503
    in_doubt = await place(client, "r-1")
    catalog.always = None
    await place(client, "r-2")

    order_id = in_doubt.json()["order_id"]
    assert (in_doubt.status_code, in_doubt.json()["request_id"]) == (503, "r-1")
    assert the_order(database, order_id).request_id == "r-1"
    assert catalog.request_ids == {order_id: "r-1"}
    assert [event["request_id"] for event in outbox_events(database)] == ["r-1"]


async def test_a_decided_order_is_logged_with_its_request(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    placed = await place(client, "r-1")

    order_id = placed.json()["id"]
    [each] = [record.__dict__["each"] for record in caplog.records if "each" in record.__dict__]
    assert [tuple(line) for line in each] == [(f"Order #{order_id} is placed", order_id, "r-1")]


async def test_a_cancel_keeps_its_own_request_and_tells_that_of_its_order(
    client: httpx.AsyncClient, database: Database
) -> None:
    order_id = (await place(client, "r-1")).json()["id"]

    await client.post(f"{ORDERS}/{order_id}/cancel", headers={"X-Request-Id": "r-2"})

    assert [(event["type"], event["request_id"]) for event in outbox_events(database)] == [
        ("OrderPlaced", "r-1"),
        ("OrderCancelled", "r-1"),
    ]
    assert details(database, order_id, STAFF) == [{"request_id": "r-2"}]
    assert details(database, order_id, EVERYBODY) == [{}]


async def test_an_operator_is_known_by_name(
    client: httpx.AsyncClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    named, nameless = (an_order(database, State.FAILED) for _ in range(2))
    credential = {"Authorization": f"Bearer {TOKEN}"}

    for order, name in ((named, {"X-Acting-For": "alice"}), (nameless, {})):
        await client.post(f"/private/orders/{order.id}/redrive", headers=credential | name)
    await client.delete("/private/dead-letters/7", headers=credential | {"X-Acting-For": "bob"})

    assert [details(database, order.id, STAFF) for order in (named, nameless)] == [
        [{"by": "operator alice"}],
        [{"by": "operator"}],
    ]
    assert [message for message in caplog.messages if message.startswith(("POST", "DELETE"))] == [
        f"POST /private/orders/{named.id}/redrive by operator alice",
        f"POST /private/orders/{nameless.id}/redrive by operator",
        "DELETE /private/dead-letters/7 by operator bob",
    ]


@pytest.mark.parametrize("name", ["", "alice bob", "a" * 65, "alice\tb", "über"])
async def test_what_is_no_login_name_is_refused(client: httpx.AsyncClient, database: Database, name: str) -> None:
    order = an_order(database, State.FAILED)
    headers = {b"Authorization": f"Bearer {TOKEN}".encode(), b"X-Acting-For": name.encode()}

    answer = await client.post(f"/private/orders/{order.id}/redrive", headers=headers)

    assert answer.status_code == 422
    assert rows(database, "SELECT * FROM order_steps") == []


async def test_nobody_acts_for_others_on_a_public_route(client: httpx.AsyncClient, database: Database) -> None:
    order = an_order(database, State.PLACED)

    await client.post(f"{ORDERS}/{order.id}/cancel", headers={"X-Acting-For": "alice"})

    assert details(database, order.id, STAFF) == [{}]


def test_who_it_was_is_shown_to_staff_alone(database: Database) -> None:
    order = an_order(database, State.PLACED)
    request_ids.enter([(request_ids.HEADER, b"r-1")])
    database.transact(cancel, order.id, STAFF)
    request_ids.enter([])

    assert details(database, order.id, STAFF) == [{"by": "alice", "request_id": "r-1"}]
    assert details(database, order.id, Caller("", Role.CUSTOMER)) == [{}]
