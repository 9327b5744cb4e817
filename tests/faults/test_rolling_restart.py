"""Hazard 34: a restart under load drops nothing that a client could notice."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from harness.system import System, wait_until

CLIENTS = 4


@contextmanager
def _ordering(system: System, seen: Counter[str]) -> Iterator[None]:
    """Clients place orders as fast as they are answered, each over one kept connection."""
    product_id = system.product(stock=1_000_000)
    over = threading.Event()

    def order() -> None:
        with httpx.Client(base_url=system.url, timeout=20) as client:
            while not over.is_set():
                try:
                    answer = client.post("/api/v1/orders", json={"product_id": product_id, "quantity": 1})
                    seen[str(answer.status_code)] += 1
                except httpx.TransportError as error:
                    seen[type(error).__name__] += 1

    threads = [threading.Thread(target=order) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("kind", ["catalog-api", "ordering-api"])
def test_a_rolling_restart_under_load_gives_no_client_an_error(system: System, kind: str) -> None:
    replicas = [process for name, process in sorted(system.processes.items()) if name.startswith(kind)]
    seen: Counter[str] = Counter()

    with _ordering(system, seen):
        for process in replicas:
            assert process.stop() == 0
            written = len(process.log_text())
            process.start()
            wait_until(lambda: "listening on" in process.log_text()[written:])  # noqa: B023 - called at once

    assert seen.keys() == {"201"}
    assert seen["201"] > CLIENTS
