"""What was acknowledged is there after everything was stopped or killed in the middle of a burst."""

from collections.abc import Callable

import pytest

from flow.buyers import nothing_under_way, ordering_meanwhile, orders_of
from harness.system import System, wait_until

ORDERED = 150
END: dict[str, Callable[[System], None]] = {"stopped": System.stop, "killed": System.kill}


@pytest.mark.parametrize("how", END)
def test_acknowledged_orders_and_stock_survive_a_restart_of_everything(system: System, how: str) -> None:
    product_id = system.product(stock=100_000)

    with ordering_meanwhile(system, product_id, clients=8) as seen:
        wait_until(lambda: len(seen.acknowledged) >= ORDERED, what=f"{ORDERED} orders")
        END[how](system)
        system.redis.engine.kill()
        system.mysql.engine.kill()
    system.mysql.engine.start()
    system.redis.engine.start()
    system.start()

    wait_until(lambda: nothing_under_way(system), what="every order to end")
    orders = orders_of(system, product_id)
    assert set(seen.acknowledged) <= orders.keys()
    assert set(orders.values()) == {"fulfilled"}
    assert system.stock(product_id) == 100_000 - len(orders)
