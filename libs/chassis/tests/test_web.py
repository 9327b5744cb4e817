"""Strict JSON in, problem documents out: whatever is sent, the answer is a sentence and never a 500."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from chassis.problems import Conflict, NotFound, Unavailable
from chassis.web.access import ANYBODY, Access, services
from chassis.web.app import create_app
from chassis.web.fields import Body, PathId, Price, Text255
from chassis.web.head import HeadOf
from chassis.web.paging import PageQuery
from chassis.web.routes import private_router, public_router
from chassis.web.strict_json import strict_json
from harness.asgi import in_one_piece

JSON = {"Content-Type": "application/json"}


RULES = {
    "POST /things": ANYBODY,
    "POST /things/fast": ANYBODY,
    "GET /things": ANYBODY,
    "GET /things/{thing_id}": ANYBODY,
    "GET /private/secrets": services("neighbour"),
}


class Thing(Body):
    name: Text255 = "thing"
    amount: Annotated[int, Field(ge=1, le=10_000)] = 1
    price: Price | None = None


class Neighbour:
    """What the app needs to do its work."""

    problem: Exception | None = None

    async def check(self) -> None:
        if self.problem is not None:
            raise self.problem


@asynccontextmanager
async def no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


def build(neighbour: Neighbour, received: list[Any]) -> FastAPI:
    public, private = public_router("/things"), private_router()

    @public.post("", status_code=201)
    async def create(thing: Thing, head: HeadOf) -> dict[str, Any]:
        received.append(thing)
        return {"name": thing.name, "key": head.key}

    @public.post("/fast")
    async def create_fast(body: Thing, head: HeadOf) -> Response:
        received.append(body)
        return JSONResponse({"name": body.name, "key": head.key}, 201)

    @public.get("")
    async def list_(page: PageQuery) -> dict[str, Any]:
        return page.model_dump()

    @public.get("/{thing_id}")
    async def read(thing_id: PathId) -> dict[str, int]:
        problems = {1: NotFound("Thing not found"), 2: Conflict("It has changed", version=7), 3: LookupError("secret")}
        if thing_id in problems:
            raise problems[thing_id]
        return {"id": thing_id}

    @private.get("/secrets")
    async def secrets() -> list[str]:
        return ["a secret"]

    access = Access(RULES, credentials={"neighbour": ["the token"]})
    checks = {"neighbour": neighbour.check}
    return create_app("tiny", no_lifespan, checks, access, public, private, fast_paths=["/things/fast"])


@dataclass
class Tiny:
    """`received` is what got through."""

    neighbour: Neighbour = field(default_factory=Neighbour)
    received: list[Any] = field(default_factory=list)

    @cached_property
    def app(self) -> FastAPI:
        return build(self.neighbour, self.received)


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    return Tiny()


@pytest.fixture
async def client(tiny: Tiny) -> AsyncIterator[httpx.AsyncClient]:
    tiny.received.clear()
    tiny.neighbour.problem = None
    transport = httpx.ASGITransport(in_one_piece(tiny.app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tiny") as client:
        yield client


def problem(answer: httpx.Response) -> dict[str, Any]:
    """Its problem document, checked for form."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == answer.status_code
    assert 0 < len(body["detail"]) < 500
    return body


@pytest.fixture(params=["/things", "/things/fast"])
def path(request: pytest.FixtureRequest) -> str:
    """One that FastAPI answers, and the one with the fast path: what is sent to either is checked alike."""
    path: str = request.param
    return path


FORM = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "text": b'"thing"',
    "trailing bytes": b"{} {}",
    "truncated": b'{"name": "a"',
    "duplicate keys": b'{"amount": 1, "amount": 2}',
    "duplicate keys in what is ignored": b'{"x": {"a": 1, "a": 2}}',
    "100,000 levels deep": b"[" * 50_000 + b"]" * 10_000,
    "100,000 objects deep": b'{"a":' * 12_000,
    "BOM": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "invalid UTF-8": b'{"name": "\xff"}',
    "NaN": b'{"price": NaN}',
    "Infinity": b'{"price": Infinity}',
    "-Infinity": b'{"amount": -Infinity}',
    "a 4,000-digit integer": b'{"amount": ' + b"9" * 4000 + b"}",
    "a 5,000-digit integer": b'{"amount": ' + b"9" * 5000 + b"}",
    "1e400": b'{"price": 1e400}',
    "an exponent beyond all decimals": b'{"price": 1e99999999999999999999}',
    "a negative such exponent": b'{"price": 1e-99999999999999999999}',
}
VALUES = {
    "amount": ['"2"', "1.0", "1.5", "true", "null", "0", "-5", "-0", "10001", str(2**31), str(2**63), "1e5", '"1_0"'],
    "price": ['"NaN"', "0.001", "1e308", "-1", "10000000", "true", '"1"', "9999999.991"],
    "name": ['""', '"  "', '"a\\u0000b"', '"\\ud800"', f'"{"x" * 256}"', "1", "null", "[]"],
    "unknown": ["1"],
    "\\ud800": ["1"],
}


@pytest.mark.parametrize("body", FORM.values(), ids=FORM.keys())
async def test_a_body_of_another_form_is_refused(client: httpx.AsyncClient, path: str, tiny: Tiny, body: bytes) -> None:
    answer = await client.post(path, content=body, headers=JSON)

    assert answer.status_code in {400, 422}
    assert problem(answer)
    assert tiny.received == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALUES.items() for value in values])
async def test_a_wrong_value_is_refused_by_name_and_not_echoed(
    client: httpx.AsyncClient, path: str, tiny: Tiny, name: str, value: str
) -> None:
    answer = await client.post(path, content=f'{{"{name}": {value}}}', headers=JSON)

    assert answer.status_code == 422
    assert problem(answer)["errors"][0]["loc"][:1] == ["body"]
    assert '"input"' not in answer.text
    assert tiny.received == []


@pytest.mark.parametrize("name", ["🛒 four bytes", "<script>alert(1)</script>", "' OR 1=1--", "é", "x" * 255])
async def test_text_is_kept_as_it_is(client: httpx.AsyncClient, path: str, name: str) -> None:
    answer = await client.post(path, json={"name": name})

    assert answer.status_code == 201
    assert answer.json()["name"] == name


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
        JSON | {"Content-Encoding": "gzip"},
    ],
)
async def test_what_is_not_plain_json_is_415(client: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    answer = await client.post(path, content=b"{}", headers=headers)

    assert answer.status_code == 415
    assert problem(answer)


async def test_a_body_over_64_kb_is_413(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"name": "x" * 65536})

    assert answer.status_code == 413
    assert problem(answer)


async def test_a_body_that_breaks_off_is_400_and_no_crash(tiny: Tiny, path: str) -> None:
    messages = [{"type": "http.request", "body": b'{"name"', "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await tiny.app(scope, receive, send)

    assert sent[0]["status"] == 400


def test_decimals_are_read_exactly() -> None:
    assert str(strict_json(b'{"price": 0.1000000000000000055511151231257827}')["price"]) == (
        "0.1000000000000000055511151231257827"
    )


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_refused_even_where_no_number_is_wanted(constant: str) -> None:
    with pytest.raises(HTTPException):
        strict_json(f'{{"name": {constant}}}'.encode())


@pytest.mark.parametrize("id_", ["abc", "-1", "0", "1.0", "1_0", "+1", str(10**20), str(2**63), "%00", "%F0%9F%9B%92"])
async def test_an_id_that_is_none_is_422(client: httpx.AsyncClient, id_: str) -> None:
    answer = await client.get(f"/things/{id_}")

    assert answer.status_code == 422
    assert problem(answer)


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=0",
        "limit=1001",
        f"limit={10**23}",
        "limit=x",
        "limit=1&limit=2",
        "after=-1",
        "after=x",
        "a=1",
    ],
)
async def test_a_bad_page_is_422(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/things?{query}")

    assert answer.status_code == 422
    assert problem(answer)


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"tab\there", "ä".encode(), b"\x7f"])
async def test_a_bad_idempotency_key_is_422(client: httpx.AsyncClient, path: str, key: bytes) -> None:
    answer = await client.post(path, json={}, headers=[(b"Idempotency-Key", key)])

    assert answer.status_code == 422
    assert problem(answer)


async def test_two_idempotency_keys_are_422(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={}, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])

    assert answer.status_code == 422


async def test_an_idempotency_key_of_255_characters_is_taken_as_it_is(client: httpx.AsyncClient, path: str) -> None:
    key = "~ " * 127 + "!"

    answer = await client.post(path, json={}, headers={"Idempotency-Key": key})

    assert answer.json()["key"] == key


async def test_a_problem_says_what_a_person_reads_and_carries_what_machines_need(client: httpx.AsyncClient) -> None:
    missing, changed = await client.get("/things/1"), await client.get("/things/2")

    assert problem(missing) == {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Thing not found"}
    assert problem(changed)["version"] == 7


async def test_a_crash_tells_nothing_of_its_reason(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/3")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert problem(answer)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("TRACE", "/things", 405)])
async def test_what_does_not_exist_is_a_problem_too(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert problem(answer)


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic the token", "Bearer the token "])
async def test_private_routes_ask_for_the_token(client: httpx.AsyncClient, token: str | None) -> None:
    refused = await client.get("/private/secrets", headers={"Authorization": token} if token is not None else {})
    let_in = await client.get("/private/secrets", headers={"Authorization": "Bearer the token"})

    assert refused.status_code == 401
    assert problem(refused)
    assert let_in.json() == ["a secret"]


async def test_readiness_names_what_is_down_while_liveness_stays(client: httpx.AsyncClient, tiny: Tiny) -> None:
    ready_before = await client.get("/readyz")
    tiny.neighbour.problem = Unavailable("gone fishing")

    ready, alive = await client.get("/readyz"), await client.get("/livez")

    assert (ready_before.status_code, ready.status_code, alive.status_code) == (200, 503, 200)
    assert problem(ready)["down"] == {"neighbour": "gone fishing"}
    assert ready.headers["Retry-After"] == "1"


async def test_what_is_measured_is_named_by_route_not_by_path(client: httpx.AsyncClient) -> None:
    await client.get("/things/12345")

    metrics = (await client.get("/metrics")).text

    assert 'http_request_seconds_count{method="GET",route="/things/{thing_id}",status="200"}' in metrics
    assert "12345" not in metrics


async def test_the_api_description_can_be_read(client: httpx.AsyncClient) -> None:
    description = json.loads((await client.get("/openapi.json")).content)

    assert "/things" in description["paths"]
    bodies = [description["paths"][path]["post"]["requestBody"] for path in ("/things", "/things/fast")]
    assert bodies[0] == bodies[1]
    assert "/livez" not in description["paths"]


@pytest.mark.parametrize(("path", "methods"), [("/things", "GET, POST"), ("/things/1", "GET"), ("/livez", "GET")])
async def test_another_method_is_refused_with_all_that_are_allowed(
    client: httpx.AsyncClient, path: str, methods: str
) -> None:
    answer = await client.request("OPTIONS", path)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == methods
