"""The public API, over the real app with everything behind it."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from chassis.database.transactions import Database
from contracts.reservations import LimitReached, Outcome, Result
from ordering import orders
from ordering.model import State
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.factories import an_order, rows, states

ORDERS = "/api/v1/orders"
ONE: dict[str, Any] = {"product_id": 1, "quantity": 2}


def require_problem(response: httpx.Response, status: int, detail: str) -> None:
    assert (response.status_code, response.json()["detail"]) == (status, detail)
    assert response.headers["content-type"] == "application/problem+json"


async def place(client: httpx.AsyncClient, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(ORDERS, json=body or ONE, headers=headers)


async def test_an_order_of_one_product_is_placed(client: httpx.AsyncClient, catalog: CatalogStandIn) -> None:
    placed = await place(client)

    order = placed.json()
    created_at = order.pop("created_at")
    assert (placed.status_code, placed.headers["location"]) == (201, f"{ORDERS}/1")
    assert order == {
        "id": 1,
        "product_id": 1,
        "quantity": 2,
        "state": "placed",
        "items": [{"product_id": 1, "quantity": 2, "unit_price": 10.5}],
        "total": 21.0,
    }
    assert created_at.endswith("Z")
    assert (await client.get(f"{ORDERS}/1")).json() == placed.json()
    assert catalog.stock[1] == 998


@pytest.mark.parametrize("url", [ORDERS, f"{ORDERS}?ignored"], ids=["past FastAPI", "by FastAPI"])
async def test_a_call_whose_time_is_over_is_not_accepted_and_leaves_nothing_behind(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn, url: str
) -> None:
    refused = await client.post(url, json=ONE, headers={"X-Time-Left-Ms": "0"})

    require_problem(refused, 503, "The order was not accepted in time; place it again")
    assert refused.headers["retry-after"] == "1"
    assert rows(database, "SELECT * FROM orders") == []
    assert catalog.calls == 0


async def test_nobody_is_kept_longer_than_he_waits(client: httpx.AsyncClient, catalog: CatalogStandIn) -> None:
    catalog.always = 503

    in_doubt = await client.post(ORDERS, json=ONE, headers={"X-Time-Left-Ms": "300"})

    assert (in_doubt.status_code, in_doubt.json()["order_id"]) == (503, 1)
    assert max(catalog.told_times) <= 300


async def test_an_order_of_many_products_stands_for_no_single_one(client: httpx.AsyncClient) -> None:
    items = [{"product_id": 2, "quantity": 3}, {"product_id": 1, "quantity": 1}]

    order = (await place(client, items=items)).json()

    assert (order["product_id"], order["quantity"], order["total"]) == (None, None, 42.0)
    assert [{"product_id": i["product_id"], "quantity": i["quantity"]} for i in order["items"]] == items


async def test_an_order_may_have_a_hundred_items(client: httpx.AsyncClient, catalog: CatalogStandIn) -> None:
    catalog.stock |= dict.fromkeys(range(1, 101), 5)

    placed = await place(client, items=[{"product_id": n, "quantity": 1} for n in range(1, 101)])

    assert (placed.status_code, placed.json()["total"]) == (201, 1050.0)


async def test_too_much_is_refused_with_what_is_short_and_takes_nothing(
    client: httpx.AsyncClient, catalog: CatalogStandIn
) -> None:
    catalog.stock[1] = 1

    refused = await place(client)

    require_problem(refused, 400, "Insufficient stock")
    assert refused.json()["shortages"] == [{"product_id": 1, "requested": 2, "available": 1}]
    assert catalog.stock[1] == 1


async def test_a_product_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    require_problem(await place(client, product_id=99, quantity=1), 404, "Product not found")


@pytest.mark.parametrize(("expected", "status"), [(21, 201), (21.0, 201), (20.99, 409), (0, 409)])
async def test_an_order_at_another_price_than_expected_takes_nothing(
    client: httpx.AsyncClient, catalog: CatalogStandIn, expected: float, status: int
) -> None:
    answer = await place(client, None, **ONE, expected_total=expected)

    assert answer.status_code == status
    assert catalog.stock[1] == (998 if status == 201 else 1000)
    if status == 409:
        require_problem(answer, 409, "The price has changed")
        assert answer.json()["total"] == 21.0


@pytest.mark.parametrize("later", [State.PLACED, State.FULFILLED, State.FAILED, State.CANCELLING, State.CANCELLED])
async def test_a_key_gets_the_answer_of_then_whatever_came_later(
    client: httpx.AsyncClient, database: Database, later: State
) -> None:
    first = await place(client, "a key", items=[{"product_id": 1, "quantity": 2}, {"product_id": 2, "quantity": 1}])
    rows(database, "UPDATE orders SET state = :state, revision = 3", state=later)

    again = await place(client, "a key", items=[{"product_id": 1, "quantity": 2}, {"product_id": 2, "quantity": 1}])

    assert again.status_code == first.status_code == 201
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]


@pytest.mark.parametrize(
    "body", [{"product_id": 1, "quantity": 5000}, {"product_id": 99, "quantity": 1}, {**ONE, "expected_total": 1}]
)
async def test_a_refusal_is_replayed_although_it_would_be_placed_by_now(
    client: httpx.AsyncClient, catalog: CatalogStandIn, body: dict[str, Any]
) -> None:
    first = await place(client, "a key", **body)
    catalog.stock |= {1: 10_000, 99: 10_000}
    catalog.outcomes.clear()

    again = await place(client, "a key", **body)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert first.status_code in {400, 404, 409}


async def test_who_would_get_above_a_limit_is_told_what_he_may_have_and_has(
    client: httpx.AsyncClient, catalog: CatalogStandIn
) -> None:
    limit = LimitReached(1, max_per_customer=2, has=1, requested=2)
    catalog.outcomes[1] = Outcome(1, Result.LIMIT_REACHED, limits=[limit])

    refused, again = [await place(client, "a key") for _ in range(2)]

    require_problem(refused, 409, "More than one customer may have")
    assert (refused.json()["order_id"], refused.json()["limits"]) == (1, [vars(limit)])
    assert (again.status_code, again.content) == (409, refused.content)


async def test_without_a_key_every_call_is_an_order(client: httpx.AsyncClient) -> None:
    first, second = await place(client), await place(client)

    assert (first.json()["id"], second.json()["id"]) == (1, 2)


async def test_a_key_used_with_another_body_is_refused(client: httpx.AsyncClient, catalog: CatalogStandIn) -> None:
    await place(client, "a key")

    for body in ({"product_id": 1, "quantity": 3}, {"product_id": 2, "quantity": 2}, {**ONE, "expected_total": 21}):
        require_problem(await place(client, "a key", **body), 422, "This Idempotency-Key was used with another request")

    assert catalog.stock[1] == 998


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"product_id":1,"quantity":2}', '{ "quantity": 2, "product_id": 1 }'),
        ('{"product_id":1,"quantity":2}', '{"items":[{"product_id":1,"quantity":2}]}'),
        (
            '{"items":[{"product_id":1,"quantity":2},{"product_id":2,"quantity":1}]}',
            '{"items":[{"product_id":2,"quantity":1},{"product_id":1,"quantity":2}]}',
        ),
        ('{"product_id":1,"quantity":2,"expected_total":21}', '{"product_id":1,"quantity":2,"expected_total":21.00}'),
        ('{"product_id":1,"quantity":2,"expected_total":21.0}', '{"product_id":1,"quantity":2,"expected_total":21.00}'),
    ],
)
async def test_the_same_order_written_otherwise_is_the_same_request(
    client: httpx.AsyncClient, one: str, other: str
) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "a key"}

    first, again = [await client.post(ORDERS, content=body, headers=headers) for body in (one, other)]

    assert (again.status_code, again.content) == (201, first.content)


async def test_fifty_calls_with_one_key_at_once_get_fifty_equal_answers(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn
) -> None:
    answers = await asyncio.gather(*(place(client, "a key") for _ in range(50)))

    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].status_code == 201
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(1,)]
    assert catalog.stock[1] == 998


async def test_an_order_in_doubt_says_who_it_is_and_when_to_come_again(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn
) -> None:
    catalog.always = 503

    doubtful = await place(client)

    answer = doubtful.json()
    assert (doubtful.status_code, doubtful.headers["retry-after"]) == (503, "1")
    assert states(database) == {answer["order_id"]: "pending"}
    catalog.always = None
    placed = await place(client, answer["idempotency_key"])
    assert (placed.status_code, placed.json()["id"]) == (201, answer["order_id"])


async def ids(client: httpx.AsyncClient, url: str) -> list[int]:
    """Over all pages."""
    found: list[int] = []
    while url:
        page = await client.get(url)
        assert page.status_code == 200, page.text
        found += [order["id"] for order in page.json()]
        url = page.links.get("next", {}).get("url", "")
    return found


async def test_orders_are_listed_page_by_page_both_ways(client: httpx.AsyncClient, database: Database) -> None:
    expected = [an_order(database, State.PLACED).id for _ in range(7)]

    assert await ids(client, f"{ORDERS}?limit=3") == expected
    assert await ids(client, f"{ORDERS}?limit=3&sort=-id") == expected[::-1]
    assert await ids(client, f"{ORDERS}?limit=7&after={expected[2]}") == expected[3:]
    assert await ids(client, f"{ORDERS}?sort=-id&after={expected[2]}") == [expected[1], expected[0]]


async def test_the_refused_are_listed_only_when_asked_for(client: httpx.AsyncClient, database: Database) -> None:
    orders = {state: [an_order(database, state).id for _ in range(3)] for state in State}

    listed = await ids(client, f"{ORDERS}?limit=2")
    by_state = {state: await ids(client, f"{ORDERS}?limit=2&state={state}") for state in State}

    assert listed == [id_ for state, some in orders.items() if state is not State.REJECTED for id_ in some]
    assert by_state == orders


async def test_the_link_to_the_next_page_keeps_what_was_asked(client: httpx.AsyncClient, database: Database) -> None:
    last = an_order(database, State.PLACED).id
    an_order(database, State.PLACED)

    page = await client.get(f"{ORDERS}?state=placed&sort=-id&limit=2")

    assert page.headers["link"] == f'<{ORDERS}?state=placed&sort=-id&limit=2&after={last}>; rel="next"'
    assert "link" not in (await client.get(f"{ORDERS}?limit=3")).headers


@pytest.mark.parametrize("path", ["", "/cancel", "/timeline"])
async def test_what_never_was_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    method = "POST" if path == "/cancel" else "GET"

    require_problem(await client.request(method, f"{ORDERS}/4711{path}"), 404, "Order not found")


async def test_a_cancel_is_a_wish_noted_or_a_fact(client: httpx.AsyncClient, database: Database) -> None:
    for state, status, becomes in (
        (State.PLACED, 202, "cancelling"),
        (State.FAILED, 202, "cancelling"),
        (State.CANCELLING, 202, "cancelling"),
        (State.RELEASING, 202, "releasing"),
        (State.CANCELLED, 200, "cancelled"),
    ):
        order = an_order(database, state)

        answers = [await client.post(f"{ORDERS}/{order.id}/cancel") for _ in range(2)]

        assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(status, becomes)] * 2


@pytest.mark.parametrize(("state", "again"), [(State.PENDING, "1"), (State.FULFILLED, None), (State.REJECTED, None)])
async def test_a_cancel_that_can_not_be_says_whether_to_come_again(
    client: httpx.AsyncClient, database: Database, state: State, again: str | None
) -> None:
    order = an_order(database, state)

    refused = await client.post(f"{ORDERS}/{order.id}/cancel")

    assert (refused.status_code, refused.headers.get("retry-after")) == (409, again)
    assert refused.json()["state"] == state


async def test_every_state_can_be_read(client: httpx.AsyncClient, database: Database) -> None:
    for state in State:
        order = an_order(database, state)

        read = await client.get(f"{ORDERS}/{order.id}")
        told = await client.get(f"{ORDERS}/{order.id}/timeline")

        assert (read.status_code, read.json()["state"]) == (200, state)
        assert told.status_code == 200
        assert all(step["at"].endswith("Z") for step in told.json())
        assert "accepted" in [step["step"] for step in told.json()]


async def test_slow_lists_keep_nobody_from_placing(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, catalog: CatalogStandIn
) -> None:
    answered: list[str] = []
    read = orders.list_

    def slowly(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.5)
        return read(*arguments, **named)

    async def noted(what: str, asking: Awaitable[httpx.Response]) -> None:
        assert (await asking).is_success
        answered.append(what)

    monkeypatch.setattr(orders, "list_", slowly)
    lists = [asyncio.create_task(noted("list", client.get(ORDERS))) for _ in range(10)]
    await asyncio.sleep(0.1)
    await noted("order", place(client))
    await asyncio.gather(*lists)

    assert answered.index("order") <= 2, "at most the lists under way were answered first"
