"""What was acknowledged is there after everything was stopped or killed in the middle of a burst."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from flow.buyers import nothing_under_way, orders_of
from harness.system import System, wait_until

ORDERED = 150
END: dict[str, Callable[[System], None]] = {"stopped": System.stop, "killed": System.kill}


@pytest.mark.parametrize("how", END)
def test_acknowledged_orders_and_stock_survive_a_restart_of_everything(system: System, how: str) -> None:
    product_id = system.product(stock=100_000)
    acknowledged: list[int] = []
    enough = threading.Event()

    def buy(_: int) -> None:
        with httpx.Client(base_url=system.url, timeout=10) as client:
            while not over.is_set():
                try:
                    answer = client.post("/api/v1/orders", json={"product_id": product_id, "quantity": 1})
                except httpx.TransportError:
                    continue
                if answer.status_code == 201:
                    acknowledged.append(answer.json()["id"])
                if len(acknowledged) >= ORDERED:
                    enough.set()

    over = threading.Event()
    with ThreadPoolExecutor(8) as threads:
        buyers = [threads.submit(buy, n) for n in range(8)]
        enough.wait(60)
        END[how](system)
        system.redis.engine.kill()
        system.mysql.engine.kill()
        over.set()
        for buyer in buyers:
            buyer.result()
    system.mysql.engine.start()
    system.redis.engine.start()
    system.start()

    assert len(acknowledged) >= ORDERED
    wait_until(lambda: nothing_under_way(system), what="every order to end")
    orders = orders_of(system, product_id)
    assert set(acknowledged) <= orders.keys()
    assert set(orders.values()) == {"fulfilled"}
    assert system.stock(product_id) == 100_000 - len(orders)
