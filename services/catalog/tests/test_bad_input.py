"""Whatever is sent: an answer below 500, nothing stored, and nothing of it said back."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from catalog.model import metadata
from catalog.tests.factories import a_product, rows
from chassis.database.transactions import Database
from harness.schemas import Schema, Schemas

NEEDLE = "needle-4711"
JSON = {"Content-Type": "application/json"}
JSON_BYTES = (b"Content-Type", b"application/json")
GOOD = {"name": NEEDLE, "price": 1, "stock": 1}


def a_body(**changed: Any) -> bytes:
    return json.dumps(GOOD | changed).encode()


def with_literal(member: str, literal: str) -> bytes:
    """A body whose `member` has a value that json.dumps would not write."""
    return a_body(**{member: "HERE"}).replace(b'"HERE"', literal.encode())


def without(member: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != member}).encode()


NUMBERS = [
    f'"{NEEDLE}"', '"2"', '"1_0"', '"NaN"', "true", "null", "[]", "{}", "-1", "-0.01", "2147483648e9", "9" * 4000,
    "1e400", "1e308", "1e999999999999999999", "NaN", "Infinity", "-Infinity",
]  # fmt: skip
BODIES = {
    **{
        f"stock {literal[:20]}": with_literal("stock", literal)
        for literal in [*NUMBERS, "1.0", "1.5", "1e5", "1000000001"]
    },
    **{f"price {literal[:20]}": with_literal("price", literal) for literal in [*NUMBERS, "0.001", "10000000"]},
    **{f"no {member}": without(member) for member in GOOD},
    "name empty": a_body(name=""),
    "name blank": a_body(name=" \t"),
    "name too long": a_body(name=NEEDLE + "x" * 255),
    "name with NUL": a_body(name=f"{NEEDLE}\0"),
    "name with a lone surrogate": a_body(name=f"{NEEDLE}\ud800"),
    "name a number": a_body(name=4711),
    "an unknown member": a_body(id=7),
    "an empty body": b"",
    "null": b"null",
    "an array": b"[]",
    "a string": f'"{NEEDLE}"'.encode(),
    "trailing bytes": a_body() + b"x",
    "a member twice": a_body()[:-1] + b', "stock": 2}',
    "nested too deeply": b"[" * 30_000 + b"]" * 30_000,
    "a BOM": b"\xef\xbb\xbf" + a_body(),
    "UTF-16": a_body().decode().encode("utf-16"),
    "UTF-32": a_body().decode().encode("utf-32-be"),
    "invalid UTF-8": a_body().replace(NEEDLE.encode(), NEEDLE.encode() + b"\xff"),
    "truncated": a_body()[:-5],
}


def require_harmless(response: httpx.Response, *allowed: int) -> None:
    assert response.status_code in allowed, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]
    assert NEEDLE not in response.text
    assert "4711" not in response.text


def contents(database: Database) -> list[list[tuple[Any, ...]]]:
    return [rows(database, f"SELECT * FROM {table}") for table in metadata.tables]


@pytest.fixture(scope="module")
def catalog_schema(schemas: Schemas) -> Schema:
    """Emptied once: no test of this module leaves anything behind, or it fails."""
    return schemas.empty("catalog")


@pytest.fixture(scope="module")
def database(catalog_schema: Schema) -> Iterator[Database]:
    database = Database(catalog_schema.url, connections=1)
    yield database
    database.close()


@pytest.fixture(scope="module")
def product_id(database: Database) -> int:
    return a_product(database)


@pytest.fixture(autouse=True)
def _nothing_is_stored(database: Database, product_id: int) -> Iterator[None]:
    before = contents(database)
    yield
    assert contents(database) == before


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_refused(client: httpx.Client, body: bytes) -> None:
    response = client.post("/products", content=body, headers=JSON | {"Idempotency-Key": "k"})

    require_harmless(response, 400, 422)


@pytest.mark.parametrize(
    "body",
    [
        with_literal("stock", "NaN"),
        with_literal("price", "1e400"),
        a_body(name=f"{NEEDLE}\ud800"),
        a_body(id=7),
    ],
)
def test_a_bad_replacement_changes_nothing(client: httpx.Client, product_id: int, body: bytes) -> None:
    response = client.put(f"/products/{product_id}", content=body, headers=JSON)

    require_harmless(response, 400, 422)


@pytest.mark.parametrize(
    "delta", ["0", "-0", "0.0", "1.0", '"1"', "true", "null", "1e3", "NaN", "9" * 4000, "1000000001"]
)
def test_a_bad_adjustment_moves_nothing(client: httpx.Client, product_id: int, delta: str) -> None:
    body = f'{{"delta": {delta}, "reason": "{NEEDLE}"}}'

    response = client.post(f"/products/{product_id}/stock-adjustments", content=body, headers=JSON)

    require_harmless(response, 400, 422)


@pytest.mark.parametrize("reason", ["", " ", "x" * 256, None, 1])
def test_an_adjustment_needs_a_reason(client: httpx.Client, product_id: int, reason: object) -> None:

    response = client.post(f"/products/{product_id}/stock-adjustments", json={"delta": 1, "reason": reason})

    require_harmless(response, 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
        JSON | {"Content-Encoding": "gzip"},
    ],
)
def test_another_form_of_body_is_not_taken(client: httpx.Client, headers: dict[str, str]) -> None:
    body = gzip.compress(a_body()) if "Content-Encoding" in headers else a_body()

    response = client.post("/products", content=body, headers=headers)

    require_harmless(response, 415)


def test_a_body_over_64_kb_is_not_taken(client: httpx.Client) -> None:
    response = client.post("/products", content=a_body() + b" " * 65536, headers=JSON)

    require_harmless(response, 413)


@pytest.mark.parametrize(
    "id_", ["abc", "-1", "0", "1.0", "1_0", "+1", "%201", "%00", "10" * 20, str(2**63), NEEDLE, "%ff"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_is_none_is_refused(client: httpx.Client, method: str, id_: str) -> None:
    require_harmless(client.request(method, f"/products/{id_}"), 404, 422)


QUERIES = [
    "limit=-1", "limit=0", f"limit={10**23}", "limit=1001", "limit=1&limit=2", "limit=abc", "limit=", "limit=1e2",
    "limit=%00", "after=-1", f"after={2**63}", "after=abc", "after=1.0", f"after={NEEDLE}", "offset=1",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_a_bad_page_is_refused(client: httpx.Client, product_id: int, query: str) -> None:

    for path in ("/products", f"/products/{product_id}/stock-movements"):
        require_harmless(client.get(f"{path}?{query}"), 422)


@pytest.mark.parametrize("key", [b"", b"k" * 256, "Schlüssel".encode(), b"tab\there", b"\xff"])
def test_a_bad_key_is_refused(client: httpx.Client, key: bytes) -> None:
    response = client.post("/products", content=a_body(), headers=[JSON_BYTES, (b"Idempotency-Key", key)])

    require_harmless(response, 422)


def test_two_keys_are_one_too_many(client: httpx.Client) -> None:
    headers = [*JSON.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    response = client.post("/products", content=a_body(), headers=headers)

    require_harmless(response, 422)


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "DELETE", "PUT"])
def test_another_method_is_not_allowed(client: httpx.Client, method: str) -> None:
    require_harmless(client.request(method, "/products"), 405)
