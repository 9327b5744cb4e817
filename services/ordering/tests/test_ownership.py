"""A customer has to do with his own orders only. Those of others don't exist for him, whatever he tries."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chassis.database.transactions import Database
from chassis.web.access import Role
from harness.issuer import Issuer
from harness.schemas import Schema, Schemas
from ordering import api
from ordering.model import State
from ordering.settings import Settings
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.conftest import TOKEN, client_of
from ordering.tests.factories import an_order, rows, states
from ordering.tests.test_api import ids

ORDERS = "/api/v1/orders"
PAST_FASTAPI, BY_FASTAPI = ORDERS, f"{ORDERS}?ignored"
ONE = {"product_id": 1, "quantity": 2}


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer") / "jwks.json")


@pytest.fixture(scope="session")
async def app_with_tokens(schemas: Schemas, settings: Settings, issuer: Issuer) -> AsyncIterator[FastAPI]:
    schemas.empty("ordering")
    app = api.build(settings.model_copy(update={"auth": issuer.settings()}))
    async with app.router.lifespan_context(app):
        yield app


@dataclass
class People:
    """Each with a client that shows a token of his."""

    alice: httpx.AsyncClient
    bob: httpx.AsyncClient
    staff: httpx.AsyncClient
    operator: httpx.AsyncClient


@pytest.fixture
async def people(
    app_with_tokens: FastAPI, issuer: Issuer, ordering_schema: Schema, catalog: CatalogStandIn
) -> AsyncIterator[People]:
    of_all = [
        issuer.headers("alice"),
        issuer.headers("bob"),
        issuer.headers("clerk", Role.STAFF),
        {"Authorization": f"Bearer {TOKEN}"},
    ]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(app_with_tokens, headers)) for headers in of_all]
        yield People(*clients)


async def place(client: httpx.AsyncClient, key: str, url: str = PAST_FASTAPI, **body: int) -> httpx.Response:
    return await client.post(url, json=body or ONE, headers={"Idempotency-Key": key})


async def test_two_customers_with_the_same_key_have_two_orders(people: People, catalog: CatalogStandIn) -> None:
    answers = [
        await place(client, "a key", url) for url in (BY_FASTAPI, PAST_FASTAPI) for client in (people.alice, people.bob)
    ]

    assert [(answer.status_code, answer.json()["id"]) for answer in answers] == [(201, 1), (201, 2), (201, 1), (201, 2)]
    assert catalog.stock[1] == 996


async def test_a_key_of_one_customer_says_nothing_to_another(people: People) -> None:
    """With another body he would learn from a 422 that it was used."""
    await place(people.alice, "a key")

    answers = [await place(people.bob, "a key", url, product_id=2, quantity=7) for url in (PAST_FASTAPI, BY_FASTAPI)]

    assert [(answer.status_code, answer.json()["quantity"]) for answer in answers] == [(201, 7), (201, 7)]
    assert answers[0].json()["id"] == answers[1].json()["id"] != 1


async def test_many_customers_with_the_same_key_at_once_have_one_order_each(
    app_with_tokens: FastAPI, issuer: Issuer, people: People, database: Database, catalog: CatalogStandIn
) -> None:
    names = [f"customer {n}" for n in range(20)]
    headers = {name: issuer.headers(name) for name in names}

    async with client_of(app_with_tokens) as client:

        async def order(name: str, url: str) -> tuple[str, int]:
            answer = await client.post(url, json=ONE, headers={**headers[name], "Idempotency-Key": "a key"})
            assert answer.status_code == 201, answer.text
            return name, answer.json()["id"]

        calls = [order(name, url) for url in (PAST_FASTAPI, BY_FASTAPI, PAST_FASTAPI) for name in names]
        told = set(await asyncio.gather(*calls))

    assert len(told) == len(names)
    assert told == {(customer.decode(), id_) for customer, id_ in rows(database, "SELECT customer, id FROM orders")}
    assert catalog.stock[1] == 1000 - 2 * len(names)


async def test_names_are_told_apart_byte_by_byte(
    app_with_tokens: FastAPI, issuer: Issuer, people: People, database: Database
) -> None:
    names = ["alice", "Alice", "alice ", "älice", "a\u0308lice"]

    for name in names:
        async with client_of(app_with_tokens, issuer.headers(name)) as client:
            order_id = (await place(client, "a key")).json()["id"]
            assert await ids(client, ORDERS) == [order_id], name

    assert len(states(database)) == len(names)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/timeline"), ("POST", "/cancel")])
async def test_the_order_of_another_is_none_at_all(people: People, database: Database, method: str, path: str) -> None:
    bobs = {state: an_order(database, state, customer="bob").id for state in State}
    before = rows(database, "SELECT * FROM orders ORDER BY id")

    for state, order_id in bobs.items():
        others = await people.alice.request(method, f"{ORDERS}/{order_id}{path}")
        nobodys = await people.alice.request(method, f"{ORDERS}/4711{path}")

        assert (others.status_code, others.content) == (404, nobodys.content), state
        assert others.headers == nobodys.headers
    assert rows(database, "SELECT * FROM orders ORDER BY id") == before
    assert rows(database, "SELECT * FROM order_steps") == []


async def test_a_redrive_is_for_staff_only(people: People, database: Database) -> None:
    order = an_order(database, State.FAILED, customer="alice")

    statuses = [
        (await client.post(f"{ORDERS}/{order.id}/redrive")).status_code
        for client in (people.alice, people.bob, people.staff)
    ]

    assert statuses == [403, 403, 200]


async def test_owner_and_staff_read_and_cancel(people: People, database: Database) -> None:
    for client in (people.alice, people.staff):
        order = an_order(database, State.PLACED, customer="alice")

        answers = [
            await client.request(method, f"{ORDERS}/{order.id}{path}")
            for method, path in (("GET", ""), ("GET", "/timeline"), ("POST", "/cancel"))
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 202]


async def test_a_list_shows_a_customer_his_own_and_staff_all(people: People, database: Database) -> None:
    whose = {
        an_order(database, state, customer=customer).id: (customer, state)
        for state in State
        for customer in ("bob", "alice", "", "alice")
    }

    for wanted, sort, limit in product([None, *State], ["id", "-id"], [2, 1000]):
        asked = f"{ORDERS}?sort={sort}&limit={limit}" + (f"&state={wanted}" if wanted else "")
        shown = {wanted} if wanted else {*State} - {State.REJECTED}
        found = {id_: customer for id_, (customer, state) in whose.items() if state in shown}

        hers = sorted((id_ for id_, customer in found.items() if customer == "alice"), reverse=sort == "-id")
        assert await ids(people.alice, asked) == hers, asked
        assert await ids(people.staff, asked) == sorted(found, reverse=sort == "-id"), asked


async def test_a_list_may_begin_after_the_order_of_another_and_shows_nothing_of_it(
    people: People, database: Database
) -> None:
    orders = [an_order(database, State.PLACED, customer=customer).id for customer in ("alice", "bob", "alice")]

    assert await ids(people.alice, f"{ORDERS}?after={orders[1]}") == [orders[2]]
    assert await ids(people.alice, f"{ORDERS}?sort=-id&after={orders[1]}") == [orders[0]]


async def test_what_was_ordered_while_the_system_was_open_is_for_staff(people: People, database: Database) -> None:
    order = an_order(database, State.PLACED)

    answers = [await client.get(f"{ORDERS}/{order.id}") for client in (people.alice, people.staff)]

    assert [answer.status_code for answer in answers] == [404, 200]


def asked_by(told: httpx.Response) -> list[tuple[str, str | None]]:
    steps: Sequence[dict[str, Any]] = told.json()
    asked = ("cancel_requested", "redriven")
    return [(step["step"], step["detail"].get("by")) for step in steps if step["step"] in asked]


async def test_the_timeline_shows_to_staff_only_who_asked(people: People, database: Database) -> None:
    order = an_order(database, State.FAILED, customer="alice")
    await people.staff.post(f"{ORDERS}/{order.id}/redrive")
    await people.alice.post(f"{ORDERS}/{order.id}/cancel")
    rows(database, "UPDATE orders SET state = 'failed'")
    await people.operator.post(f"/private/orders/{order.id}/cancel")

    to_staff, to_her = [await client.get(f"{ORDERS}/{order.id}/timeline") for client in (people.staff, people.alice)]

    steps = ["redriven", "cancel_requested", "cancel_requested"]
    assert asked_by(to_staff) == list(zip(steps, ["clerk", "alice", "operator"], strict=True))
    assert asked_by(to_her) == [(step, None) for step in steps]
    assert "clerk" not in to_her.text
    assert "operator" not in to_her.text


async def test_in_an_open_system_anybody_sees_every_order(client: httpx.AsyncClient, database: Database) -> None:
    orders = [an_order(database, State.PLACED, customer=customer).id for customer in ("alice", "")]
    placed = (await place(client, "a key")).json()["id"]

    assert await ids(client, ORDERS) == [*orders, placed]
    for order_id in (*orders, placed):
        assert (await client.get(f"{ORDERS}/{order_id}")).status_code == 200
        assert (await client.post(f"{ORDERS}/{order_id}/cancel")).status_code == 202
        assert asked_by(await client.get(f"{ORDERS}/{order_id}/timeline")) == [("cancel_requested", None)]
