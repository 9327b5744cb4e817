"""Whatever a client sends for an order, through the gateway: a 4xx that says why, and nothing is left behind."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.system import System

ORDERS = "/api/v1/orders"
JSON = {"Content-Type": "application/json"}
REFUSED = {400, 422}

QUANTITIES = [
    '"2"', "1.0", "1.5", "true", "null", "0", "-5", "-0", "10001", str(2**31), str(2**63), "9" * 4000, "1e5", "1e400",
    "NaN", "Infinity", "-Infinity", '"1_0"', "[]", "{}",
]  # fmt: skip
BODIES = {
    "no quantity": '{"product_id": 1}',
    "no items": '{"items": []}',
    "101 items": json.dumps({"items": [{"product_id": n, "quantity": 1} for n in range(1, 102)]}),
    "the same product twice": '{"items": [{"product_id": 1, "quantity": 1}, {"product_id": 1, "quantity": 1}]}',
    "a status": '{"product_id": 1, "quantity": 1, "status": "fulfilled"}',
    "an id": '{"product_id": 1, "quantity": 1, "id": 1}',
    "a price": '{"product_id": 1, "quantity": 1, "price": 0}',
    "empty": "",
    "null": "null",
    "a list": "[]",
    "trailing bytes": '{"product_id": 1, "quantity": 1} 1',
    "duplicate keys": '{"product_id": 1, "quantity": 1, "quantity": 2}',
    "30,000 levels deep": "[" * 30_000,
    "truncated": '{"product_id": 1, "quantity": 1',
    "a lone surrogate": '{"product_id": 1, "quantity": 1, "\\ud800": 1}',
}
BYTES = {
    "BOM": b"\xef\xbb\xbf" + b'{"product_id": 1, "quantity": 1}',
    "UTF-16": '{"product_id": 1, "quantity": 1}'.encode("utf-16"),
    "invalid UTF-8": b'{"product_id": 1, "quantity": 1, "a": "\xff"}',
    **{name: body.encode() for name, body in BODIES.items()},
    **{f"quantity {text[:12]}": f'{{"product_id": 1, "quantity": {text}}}'.encode() for text in QUANTITIES},
}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(system: System) -> Iterator[None]:
    before = rows(system)
    yield
    assert rows(system) == before


def rows(system: System) -> int:
    [(orders, reservations)] = system.mysql.execute(
        "SELECT (SELECT COUNT(*) FROM ordering.orders), (SELECT COUNT(*) FROM catalog.reservations)"
    )
    assert isinstance(orders, int)
    assert isinstance(reservations, int)
    return orders + reservations


def problem(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert body["status"] == answer.status_code
    assert body["detail"]
    return body


@pytest.mark.parametrize("body", BYTES.values(), ids=BYTES.keys())
def test_a_bad_body_is_refused_with_a_sentence(system: System, body: bytes) -> None:
    answer = system.client.post(ORDERS, content=body, headers=JSON)

    assert answer.status_code in REFUSED
    assert problem(answer)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (JSON | {"Content-Encoding": "gzip"}, 415),
        (JSON | {"Idempotency-Key": "k" * 256}, 422),
        (JSON | {"Idempotency-Key": "\u00e4"}, 422),
        (JSON | {"X-Long": "x" * 9000}, 431),
    ],
)
def test_bad_headers_are_refused(system: System, headers: dict[str, str], status: int) -> None:
    answer = system.client.post(
        ORDERS,
        content=b'{"product_id": 1, "quantity": 1}',
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
    )

    assert answer.status_code == status
    assert problem(answer)


def test_two_keys_are_refused(system: System) -> None:
    keys = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]

    answer = system.client.post(ORDERS, json={"product_id": 1, "quantity": 1}, headers=keys)

    assert answer.status_code == 422


def test_a_body_over_64_kb_is_refused(system: System) -> None:
    answer = system.client.post(ORDERS, content=b" " * 70_000, headers=JSON)

    assert answer.status_code == 413
    assert problem(answer)


@pytest.mark.parametrize("id_", ["abc", "-1", "0", "1.0", str(10**20), str(2**63), "%00", "%F0%9F%9B%92"])
def test_an_id_that_is_none_is_refused(system: System, id_: str) -> None:
    answer = system.client.get(f"{ORDERS}/{id_}")

    assert answer.status_code in {400, 404, 422}
    assert problem(answer)


@pytest.mark.parametrize(
    "query",
    ["limit=-1", f"limit={10**23}", f"limit={10**9}", "limit=1&limit=2", "after=forged", "state=eaten", "sort=price"],
)
def test_a_bad_query_is_refused(system: System, query: str) -> None:
    answer = system.client.get(f"{ORDERS}?{query}")

    assert answer.status_code == 422
    assert problem(answer)


@pytest.mark.parametrize(("method", "path"), [("TRACE", ORDERS), ("PUT", ORDERS), ("DELETE", f"{ORDERS}/1")])
def test_a_method_that_is_none_is_refused(system: System, method: str, path: str) -> None:
    answer = system.client.request(method, path)

    assert answer.status_code == 405
    assert problem(answer)


def test_an_order_that_never_was_is_not_found(system: System) -> None:
    answer = system.client.get(f"{ORDERS}/{2**62}")

    assert (answer.status_code, problem(answer)["detail"]) == (404, "Order not found")
