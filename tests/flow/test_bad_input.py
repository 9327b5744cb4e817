"""What a client sends for an order, through gateway and server: a 4xx that says why, and nothing is left behind.

`services/ordering/tests/test_bad_input.py` sends far more, to the app alone.
"""

from collections.abc import Iterator

import httpx
import pytest

from harness.system import System

ORDERS = "/api/v1/orders"
JSON = {"Content-Type": "application/json"}
GOOD = b'{"product_id": 1, "quantity": 1}'
BODIES = [
    b"", b"null", b"[]", b'{"product_id": 1}', b'{"items": []}', GOOD + b" 1", GOOD[:-1], b"\xef\xbb\xbf" + GOOD,
    GOOD.decode().encode("utf-16"), GOOD[:-1] + b', "a": "\xff"}', GOOD[:-1] + b', "\\ud800": 1}', b"[" * 30_000,
    GOOD.replace(b"y\": 1", b"y\": " + b"9" * 4000), GOOD.replace(b"y\": 1", b"y\": NaN"),
]  # fmt: skip


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


def require_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["detail"]


def test_a_bad_body_is_refused_with_a_sentence(system: System) -> None:
    for body in BODIES:
        require_refused(system.client.post(ORDERS, content=body, headers=JSON), 400, 422)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Type", "text/plain")], 415),
        ([*JSON.items(), ("Content-Encoding", "gzip")], 415),
        ([*JSON.items(), ("Idempotency-Key", "k" * 256)], 422),
        ([*JSON.items(), ("Idempotency-Key", "\u00e4")], 422),
        ([*JSON.items(), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")], 422),
        ([*JSON.items(), ("X-Long", "x" * 9000)], 431),
    ],
)
def test_bad_headers_are_refused(system: System, headers: list[tuple[str, str]], status: int) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers]

    require_refused(system.client.post(ORDERS, content=GOOD, headers=encoded), status)


def test_a_body_over_64_kb_is_refused(system: System) -> None:
    require_refused(system.client.post(ORDERS, content=b" " * 70_000, headers=JSON), 413)


def test_a_bad_address_is_refused(system: System) -> None:
    for id_ in ("abc", "-1", "0", str(2**63), "%00", "%F0%9F%9B%92", str(2**62)):
        require_refused(system.client.get(f"{ORDERS}/{id_}"), 400, 404, 422)
    for query in ("limit=-1", f"limit={10**23}", "limit=1&limit=2", "after=forged", "state=eaten", "sort=price"):
        require_refused(system.client.get(f"{ORDERS}?{query}"), 422)


@pytest.mark.parametrize(("method", "path"), [("TRACE", ORDERS), ("PUT", ORDERS), ("DELETE", f"{ORDERS}/1")])
def test_a_method_that_is_none_is_refused(system: System, method: str, path: str) -> None:
    require_refused(system.client.request(method, path), 405)
