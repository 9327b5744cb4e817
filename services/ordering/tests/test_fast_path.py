"""An order placed past FastAPI is the order that FastAPI places: same answer, byte for byte, good or bad."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from chassis.database.transactions import Database
from harness.asgi import in_one_piece
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.factories import rows
from ordering.tests.test_bad_input import BODIES

ORDERS = "/api/v1/orders"
PAST_FASTAPI, BY_FASTAPI = ORDERS, f"{ORDERS}?ignored"
GOOD: dict[str, dict[str, Any]] = {
    "one product": {"product_id": 1, "quantity": 2},
    "an expected total": {"product_id": 1, "quantity": 2, "expected_total": 21.00},
    "items": {"items": [{"product_id": 2, "quantity": 1}, {"product_id": 1, "quantity": 3}]},
    "members that are null": {"product_id": None, "items": [{"product_id": 1, "quantity": 1}], "expected_total": None},
    "too much": {"product_id": 1, "quantity": 1001},
    "nothing there": {"product_id": 99, "quantity": 1},
    "another price": {"product_id": 1, "quantity": 1, "expected_total": 1},
}


async def told(client: httpx.AsyncClient, url: str, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "a key"}
    answer = await client.post(url, content=body, headers=headers)
    return answer.status_code, answer.headers.raw, answer.content


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize(("first", "again"), [(PAST_FASTAPI, BY_FASTAPI), (BY_FASTAPI, PAST_FASTAPI)])
async def test_an_order_is_answered_alike_either_way_and_is_the_same_request(
    client: httpx.AsyncClient, database: Database, body: dict[str, Any], first: str, again: str
) -> None:
    sent = json.dumps(body).encode()

    assert await told(client, first, sent) == await told(client, again, sent)
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(1,)]


async def test_a_bad_order_is_refused_alike_either_way(client: httpx.AsyncClient) -> None:
    for name, body in BODIES.items():
        assert await told(client, PAST_FASTAPI, body) == await told(client, BY_FASTAPI, body), name


async def test_an_order_in_doubt_is_answered_alike_either_way(
    client: httpx.AsyncClient, database: Database, catalog: CatalogStandIn
) -> None:
    catalog.always = 503
    body = json.dumps(GOOD["one product"]).encode()

    assert await told(client, PAST_FASTAPI, body) == await told(client, BY_FASTAPI, body)
    assert rows(database, "SELECT state FROM orders") == [("pending",)]


async def test_an_ordinary_order_does_go_past_fastapi(
    app: FastAPI, ordering_schema: object, catalog: CatalogStandIn
) -> None:
    seen: list[bool] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        seen.append("router" in scope)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(in_one_piece(watched)), base_url="http://ordering"
    ) as client:
        for url in (PAST_FASTAPI, BY_FASTAPI):
            await told(client, url, json.dumps(GOOD["one product"]).encode())

    assert seen == [False, True]
