"""Many clients at once, each with a connection of its own."""

import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx

from harness.system import System

ORDERS = "/api/v1/orders"
NO_TLS = ssl.create_default_context()  # every client would make one of its own, which takes longer than its order


def all_at_once(system: System, orders: Sequence[dict[str, Any]], key: str | None = None) -> list[httpx.Response]:
    """Send each order from a thread of its own, at the same moment; answers in the order given."""
    ready = Barrier(len(orders))
    headers = {"Idempotency-Key": key} if key else {}

    def buy(order: dict[str, Any]) -> httpx.Response:
        with httpx.Client(base_url=system.url, timeout=30, verify=NO_TLS) as client:
            client.get("/gateway/livez")
            ready.wait(30)
            return client.post(ORDERS, json=order, headers=headers)

    with ThreadPoolExecutor(len(orders)) as threads:
        return list(threads.map(buy, orders))


def one_of(product_id: int, quantity: int = 1) -> dict[str, Any]:
    return {"product_id": product_id, "quantity": quantity}


def statuses(answers: Sequence[httpx.Response]) -> dict[int, int]:
    """How many answers had each status."""
    found = [answer.status_code for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}
