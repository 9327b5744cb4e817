"""Many buyers at once."""

from collections.abc import Sequence

import httpx

from local.demo.shop import Shop, expect, order, require

SOLD_OUT = "Insufficient stock"
ROUNDS = 20
OPPOSITE_ORDERS = 64


async def last_item(shop: Shop) -> str:
    for n in range(1, ROUNDS + 1):
        await _sell(shop, f"Last one {n}", stock=1, buyers=5)
    return f"{ROUNDS} times one 201 and four 400, stock 0"


async def flash_sale(shop: Shop) -> str:
    await _sell(shop, "Flash sale", stock=10, buyers=50)
    return "10 x 201, 40 x 400, stock 0"


async def _sell(shop: Shop, name: str, stock: int, buyers: int) -> None:
    product_id = await shop.product(name, 9.99, stock)
    answers = await shop.together([order((product_id, 1)) for _ in range(buyers)])
    sold = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 400 and answer.json()["detail"] == SOLD_OUT]
    left = await shop.stock(product_id)
    expect(
        (len(sold), len(refused), left) == (stock, buyers - stock, 0),
        f"{name}: {len(sold)} sold, {len(refused)} refused, stock {left}, of {stock} units and {buyers} buyers",
    )


async def opposite_orders(shop: Shop) -> str:
    first = await shop.product("Left shoe", 49.5, 1000)
    second = await shop.product("Right shoe", 49.5, 1000)
    pair, riap = ((first, 1), (second, 1)), ((second, 1), (first, 1))
    answers = await shop.together([order(*(riap if n % 2 else pair)) for n in range(OPPOSITE_ORDERS)])
    for answer in answers:
        require(answer, 201)
    stocks = [await shop.stock(product_id) for product_id in (first, second)]
    expect(stocks == [1000 - OPPOSITE_ORDERS] * 2, f"the stocks are {stocks}")
    return f"{OPPOSITE_ORDERS} x 201, the slowest in {_slowest(answers):.2f} s, both stocks exact"


def _slowest(answers: Sequence[httpx.Response]) -> float:
    return max(answer.elapsed.total_seconds() for answer in answers)
