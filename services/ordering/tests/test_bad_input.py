"""Whatever is sent: an answer below 500, nothing stored, no stock asked for, and nothing of it said back."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chassis.database.transactions import Database
from ordering.model import metadata
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.factories import rows

ORDERS = "/api/v1/orders"
NEEDLE = "needle-4711"
JSON = {"Content-Type": "application/json"}
GOOD: dict[str, Any] = {"product_id": 1, "quantity": 1}


def a_body(**changed: Any) -> bytes:
    return json.dumps(GOOD | changed).encode()


def with_literal(member: str, literal: str) -> bytes:
    """A body whose `member` has a value that json.dumps would not write."""
    return a_body(**{member: "HERE"}).replace(b'"HERE"', literal.encode())


def with_items(*items: dict[str, Any]) -> bytes:
    return json.dumps({"items": items}).encode()


NUMBERS = [
    f'"{NEEDLE}"', '"2"', '"1_0"', "true", "null", "[]", "{}", "1.0", "1.5", "0", "-5", "-0", "1e5", "1e400", "NaN",
    "Infinity", "-Infinity", str(2**63), "9" * 4000,
]  # fmt: skip
AMOUNTS = ['"21"', "true", "[]", "-0.01", "0.001", "1e400", "NaN", "Infinity", "9" * 4000, "1e308", "1" * 17]
BODIES = {
    **{f"quantity {literal[:20]}": with_literal("quantity", literal) for literal in [*NUMBERS, str(2**31), "10001"]},
    **{f"product_id {literal[:20]}": with_literal("product_id", literal) for literal in NUMBERS},
    **{f"expected_total {literal[:20]}": with_literal("expected_total", literal) for literal in AMOUNTS},
    "no quantity": b'{"product_id": 1}',
    "no product": b'{"quantity": 1}',
    "nothing": b"{}",
    "no items": with_items(),
    "items null": b'{"items": null}',
    "items of one product": json.dumps({"items": GOOD}).encode(),
    "101 items": with_items(*({"product_id": n, "quantity": 1} for n in range(1, 102))),
    "a product twice": with_items(GOOD, {"product_id": 1, "quantity": 2}),
    "both forms": json.dumps(GOOD | {"items": [GOOD]}).encode(),
    "half of both forms": json.dumps({"product_id": 1, "items": [GOOD]}).encode(),
    "an item with a price": with_items(GOOD | {"unit_price": 0}),
    "an item without quantity": with_items({"product_id": 1}),
    "an item that is none": b'{"items": [1]}',
    **{
        f"an unknown member {name}": a_body(**{name: 4711})
        for name in ("status", "id", "price", "state", "total", "key")
    },
    "a member named by a lone surrogate": b'{"product_id": 1, "quantity": 1, "\\ud800": 1}',
    "an empty body": b"",
    "null": b"null",
    "an array": b"[]",
    "a string": f'"{NEEDLE}"'.encode(),
    "trailing bytes": a_body() + b"x",
    "a member twice": b'{"product_id": 1, "quantity": 1, "quantity": 2}',
    "nested too deeply": b"[" * 30_000 + b"]" * 30_000,
    "a BOM": b"\xef\xbb\xbf" + a_body(),
    "UTF-16": a_body().decode().encode("utf-16"),
    "invalid UTF-8": a_body()[:-1] + b', "\xff": 1}',
    "truncated": a_body()[:-3],
}


@pytest.fixture(autouse=True)
def _nothing_is_stored(database: Database, catalog: CatalogStandIn) -> Iterator[None]:
    yield
    assert [table for table in metadata.tables if rows(database, f"SELECT * FROM {table}")] == []
    assert catalog.asked == []


def require_harmless(response: httpx.Response, *allowed: int) -> None:
    assert response.status_code in allowed, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]
    assert NEEDLE not in response.text
    assert "4711" not in response.text


async def test_a_bad_body_is_refused(client: httpx.AsyncClient) -> None:
    for name, body in BODIES.items():
        response = await client.post(ORDERS, content=body, headers=JSON | {"Idempotency-Key": "a key"})

        assert response.status_code in {400, 422}, f"{name}: {response.text}"
        require_harmless(response, 400, 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
        JSON | {"Content-Encoding": "gzip"},
    ],
)
async def test_another_form_of_body_is_not_taken(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    body = gzip.compress(a_body()) if "Content-Encoding" in headers else a_body()

    require_harmless(await client.post(ORDERS, content=body, headers=headers), 415)


async def test_a_body_over_64_kb_is_not_taken(client: httpx.AsyncClient) -> None:
    require_harmless(await client.post(ORDERS, content=a_body() + b" " * 65536, headers=JSON), 413)


async def test_a_bad_key_is_refused(client: httpx.AsyncClient) -> None:
    for key in (b"", b"k" * 256, "Schlüssel".encode(), b"tab\there", b"\xff", b"\x7f", b"nul\0"):
        for path, body in ((ORDERS, a_body()), (f"{ORDERS}/1/cancel", b"")):
            headers = [(b"Content-Type", b"application/json"), (b"Idempotency-Key", key)]
            require_harmless(await client.post(path, content=body, headers=headers), 422)


async def test_two_keys_are_one_too_many(client: httpx.AsyncClient) -> None:
    headers = [*JSON.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    require_harmless(await client.post(ORDERS, content=a_body(), headers=headers), 422)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/timeline"), ("POST", "/cancel")])
async def test_an_id_that_is_none_is_refused(client: httpx.AsyncClient, method: str, path: str) -> None:
    for id_ in ("abc", "-1", "0", "1.0", "1_0", "+1", "%201", "%00", "10" * 20, str(2**63), NEEDLE, "%ff", "1%2e0"):
        require_harmless(await client.request(method, f"{ORDERS}/{id_}{path}"), 404, 422)


QUERIES = [
    "limit=-1", "limit=0", f"limit={10**23}", "limit=1001", "limit=1&limit=2", "limit=abc", "limit=", "limit=1e2",
    "limit=%00", "after=-1", f"after={2**63}", "after=abc", "after=1.0", f"after={NEEDLE}", "offset=1", "sort=id&sort=-id",
    "sort=total", "sort=", f"state={NEEDLE}", "state=", "state=PLACED", "state=placed&state=failed",
]  # fmt: skip


async def test_a_bad_page_is_refused(client: httpx.AsyncClient) -> None:
    for query in QUERIES:
        require_harmless(await client.get(f"{ORDERS}?{query}"), 422)


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "DELETE", "PUT"])
async def test_another_method_is_not_allowed(client: httpx.AsyncClient, method: str) -> None:
    require_harmless(await client.request(method, ORDERS), 405)
