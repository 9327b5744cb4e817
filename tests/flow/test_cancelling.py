"""A cancel against a completion, at every moment of an order's life: one of them wins, and the stock shows which."""

import asyncio

import httpx

from flow.buyers import ORDERS, nothing_under_way, one_of
from harness.size import STEP_SECONDS, at_size
from harness.system import System, wait_until

CANCELS = at_size(200, 1000)
AT_ONCE = at_size(20, 100)
LATEST = STEP_SECONDS + at_size(0.3, 1.0)


async def placed_and_cancelled(client: httpx.AsyncClient, product_id: int, after: float) -> int:
    """The order's id; whether the cancel came in time shows later."""
    placed = await client.post(ORDERS, json=one_of(product_id))
    assert placed.status_code == 201, placed.text
    await asyncio.sleep(after)
    order_id = int(placed.json()["id"])
    cancel = await client.post(f"{ORDERS}/{order_id}/cancel")
    assert cancel.status_code in {200, 202, 409}, cancel.text
    return order_id


async def all_cancelled(system: System, product_id: int) -> list[int]:
    """Some at a time: in one burst every cancel would wait for its turn until its order is done."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(client: httpx.AsyncClient, after: float) -> int:
        async with turns:
            return await placed_and_cancelled(client, product_id, after)

    async with httpx.AsyncClient(base_url=system.url, timeout=30) as client:
        return await asyncio.gather(*(in_turn(client, LATEST * n / CANCELS) for n in range(CANCELS)))


def test_each_order_ends_cancelled_or_fulfilled_and_the_stock_is_exact(system: System) -> None:
    product_id = system.product(stock=1000)

    order_ids = asyncio.run(all_cancelled(system, product_id))

    wait_until(lambda: nothing_under_way(system), 40, "every order to end")
    ends = [system.order_state(id_) for id_ in order_ids]
    assert set(ends) == {"cancelled", "fulfilled"}
    assert system.stock(product_id) == 1000 - ends.count("fulfilled")
