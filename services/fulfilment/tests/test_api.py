"""The public API and the private routes over the real app."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from chassis.database.transactions import Database
from fulfilment import api
from fulfilment.model import State
from fulfilment.settings import Settings
from fulfilment.tests.factories import ME, a_fulfilment, a_worker
from harness.engine import RedisServer
from harness.schemas import Schema, Schemas

TOKEN = "a-token"


@pytest.fixture(scope="module")
async def app(schemas: Schemas, redis_server: RedisServer) -> AsyncIterator[FastAPI]:
    """The real one; it finds new connections after each test's schema was emptied."""
    schemas.empty("fulfilment")
    url = schemas.of("fulfilment").url
    app = api.build(
        Settings(database_url=url, redis_url=redis_server.url_of("fulfilment"), operator_tokens=(TOKEN,), connections=2)
    )
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI, fulfilment_schema: Schema) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fulfilment") as client:
        yield client


@pytest.mark.parametrize("state", State)
async def test_a_fulfilment_shows_how_far_it_is(database: Database, client: httpx.AsyncClient, state: State) -> None:
    a_fulfilment(database, 7, state, fence=3, failures=1, reason="no paper")

    answer = await client.get("/api/v1/fulfilments/7")

    shown = answer.json()
    times = [shown.pop(name) for name in ("taken_at", "started_at", "decided_at")]
    assert answer.status_code == 200
    assert shown == {"order_id": 7, "state": state, "attempt": 3, "failures": 1, "reason": "no paper"}
    assert all(time is None or time.endswith("Z") for time in times)
    assert (times[2] is None) == (state in {State.PROCESSING, State.COMMITTING})


@pytest.mark.parametrize("order_id", ["1", str(2**63 - 1)])
async def test_what_was_never_seen_is_not_found(client: httpx.AsyncClient, order_id: str) -> None:
    answer = await client.get(f"/api/v1/fulfilments/{order_id}")

    assert (answer.status_code, answer.json()["detail"]) == (404, "Fulfilment not found")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_id_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    for order_id in ("abc", "-1", "0", "1.0", "1_0", "%00", str(2**63), "10" * 20):
        answer = await client.get(f"/api/v1/fulfilments/{order_id}")

        assert answer.status_code == 422, order_id
        assert order_id not in answer.json()["detail"]


async def test_it_is_ready_only_with_a_living_worker(database: Database, client: httpx.AsyncClient) -> None:
    without = await client.get("/readyz")
    a_worker(database, ME)
    with_one = await client.get("/readyz")

    assert (without.status_code, list(without.json()["down"])) == (503, ["worker"])
    assert with_one.status_code == 200


async def test_a_worker_that_has_not_beaten_for_long_does_not_count(
    database: Database, client: httpx.AsyncClient
) -> None:
    a_worker(database, ME, last_beat_seconds_ago=60)

    assert (await client.get("/readyz")).status_code == 503


async def test_private_routes_need_the_token(client: httpx.AsyncClient) -> None:
    for authorization in ("", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x"):
        headers = {"Authorization": authorization} if authorization else {}
        answers = [
            await client.get("/private/dead-letters", headers=headers),
            await client.post("/private/dead-letters/1/redrive", headers=headers),
            await client.delete("/private/dead-letters/1", headers=headers),
        ]

        assert {answer.status_code for answer in answers} == {401}, authorization
