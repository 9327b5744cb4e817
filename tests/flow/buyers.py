"""Many clients at once, each with a connection of its own."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx

from harness.system import System

ORDERS = "/api/v1/orders"
NO_TLS = ssl.create_default_context()  # every client would make one of its own, which takes longer than its order


def one_of(product_id: int, quantity: int = 1) -> dict[str, Any]:
    return {"product_id": product_id, "quantity": quantity}


@dataclass
class Seen:
    """What clients were answered: how often each status or error, the orders they were promised, and when."""

    answers: Counter[str] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def longest_pause(self) -> float:
        """The longest time, in seconds, in which nobody's order was acknowledged."""
        return max(later - earlier for earlier, later in pairwise(sorted(self.at)))


@contextmanager
def ordering_meanwhile(system: System, product_id: int, clients: int = 4, pause: float = 0.0) -> Iterator[Seen]:
    """Clients place orders one after another, each over one kept connection, until the block ends."""
    seen = Seen()
    over = threading.Event()

    def order() -> None:
        with httpx.Client(base_url=system.url, timeout=20, verify=NO_TLS) as client:
            while not over.is_set():
                try:
                    answer = client.post(ORDERS, json=one_of(product_id))
                except httpx.TransportError as error:
                    seen.answers[type(error).__name__] += 1
                else:
                    seen.answers[str(answer.status_code)] += 1
                    if answer.status_code == 201:
                        seen.acknowledged.append(answer.json()["id"])
                        seen.at.append(time.monotonic())
                time.sleep(pause)

    threads = [threading.Thread(target=order) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def orders_of(system: System, product_id: int) -> dict[int, str]:
    """The states of all orders of the product that took stock, by id."""
    found: dict[int, str] = {}
    path: str | None = f"{ORDERS}?limit=1000"
    while path:
        answer = system.client.get(path)
        found |= {order["id"]: order["state"] for order in answer.json() if order["product_id"] == product_id}
        path = answer.links.get("next", {}).get("url")
    return found


def nothing_under_way(system: System) -> bool:
    states = ("pending", "placed", "cancelling", "releasing")
    return not any(system.client.get(ORDERS, params={"state": state, "limit": 1}).json() for state in states)
