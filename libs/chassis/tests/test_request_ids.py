"""The id of a request is known to all that runs for it, and to nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from chassis import request_ids
from chassis.database.transactions import Database
from chassis.problems import Conflict, Unavailable
from chassis.process.gather import Gather
from chassis.web.access import ANYBODY, Access
from chassis.web.app import create_app
from chassis.web.fields import Body
from chassis.web.head import HeadOf
from chassis.web.routes import public_router
from harness.asgi import in_one_piece
from harness.schemas import Schema


class Wanted(Body):
    """What goes wrong, if anything."""

    fails: bool = False
    crashes: bool = False


@asynccontextmanager
async def no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


async def answer(body: Wanted, _head: HeadOf) -> Response:
    if body.crashes:
        raise LookupError("secret")
    if body.fails:
        raise Unavailable("Not now")
    return JSONResponse({"request_id": request_ids.current()})


def build() -> FastAPI:
    router = public_router("")
    for path in ("/fast", "/slow"):
        router.post(path)(answer)

    @router.get("/conflict")
    async def conflict() -> None:
        raise Conflict("No")

    rules = dict.fromkeys(("POST /fast", "POST /slow", "GET /conflict"), ANYBODY)
    return create_app("tiny", no_lifespan, {}, Access(rules), router, fast_paths=["/fast"])


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(in_one_piece(build()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tiny") as client:
        yield client


either_way = pytest.mark.parametrize("path", ["/fast", "/slow"])


@either_way
async def test_it_is_known_while_the_request_is_served_and_not_in_the_next(
    client: httpx.AsyncClient, path: str
) -> None:
    named = await client.post(path, json={}, headers={"X-Request-Id": "r-1"})
    nameless = await client.post(path, json={})

    assert (named.json(), nameless.json()) == ({"request_id": "r-1"}, {"request_id": None})


@either_way
@pytest.mark.parametrize("odd", ["", "a b", "a" * 65, '"}', "é"])
async def test_one_that_the_gateway_would_not_send_is_none(client: httpx.AsyncClient, path: str, odd: str) -> None:
    answered = await client.post(path, json={}, headers={b"X-Request-Id": odd.encode()})

    assert answered.json() == {"request_id": None}


@either_way
@pytest.mark.parametrize(("wanted", "status"), [({"fails": True}, 503), ({"crashes": True}, 500)])
async def test_what_went_wrong_on_our_side_names_it(
    client: httpx.AsyncClient, path: str, wanted: dict[str, bool], status: int
) -> None:
    answered = await client.post(path, json=wanted, headers={"X-Request-Id": "r-1"})
    unnamed = await client.post(path, json=wanted)

    assert (answered.status_code, answered.json()["request_id"]) == (status, "r-1")
    assert "request_id" not in unnamed.json()


async def test_a_refusal_is_as_it_was(client: httpx.AsyncClient) -> None:
    refused = await client.get("/conflict", headers={"X-Request-Id": "r-1"})

    assert refused.json() == {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "No"}


async def test_a_batch_that_serves_many_is_of_none_of_them() -> None:
    async def work(items: list[int]) -> Sequence[str | None]:
        return [request_ids.current() for _ in items]

    gather: Gather[int, str | None] = Gather(work)

    async def ask(name: bytes) -> str | None:
        request_ids.enter([(request_ids.HEADER, name)])
        return await gather(1)

    known = await asyncio.gather(ask(b"r-1"), ask(b"r-2"))

    assert list(known) == [None, None]


async def test_a_transaction_knows_whom_it_is_for(scratch_schema: Schema) -> None:
    database = Database(scratch_schema.url, connections=1)
    request_ids.enter([(request_ids.HEADER, b"r-1")])

    known = await database.run(lambda _connection: request_ids.current())

    database.close()
    assert known == "r-1"
