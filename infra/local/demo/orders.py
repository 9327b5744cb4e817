"""One order at a time: placed, fulfilled, repeated, refused."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta

from local.demo.shop import API, ORDERS, PRODUCTS, Call, Json, Shop, Unmet, expect, order, require

SOON_SECONDS = 0.5
LATER_SECONDS = 1.0  # what an order may take beyond its step
GIVE_UP_SECONDS = 30.0
TWINS = 20


async def placed(shop: Shop) -> str:
    product_id = await shop.product("Laptop Pro", 1299.99, 3)
    answer = await shop.call(order((product_id, 2)))
    body = require(answer, 201)
    took = answer.elapsed.total_seconds()
    shop.expect_within(took, SOON_SECONDS)
    promised = {"product_id": product_id, "quantity": 2, "state": "placed", "total": 2599.98}
    expect(isinstance(body["id"], int) and promised.items() <= body.items(), f"the order is {body}")
    expect(answer.headers["location"] == f"{ORDERS}/{body['id']}", f"it is said to be at {answer.headers['location']}")
    age = datetime.now(UTC) - datetime.fromisoformat(body["created_at"])
    expect(abs(age) < timedelta(minutes=1), f"the order says it was created at {body['created_at']}")
    left = require(await shop.get(f"{PRODUCTS}/{product_id}"), 200)["stock"]
    expect(left == 1, f"the stock is {left}")
    return f"order {body['id']} in {took * 1000:.0f} ms, stock 1"


async def fulfilled(shop: Shop, step_seconds: float) -> str:
    product_id = await shop.product("Laptop Pro", 1299.99, 3)
    started = time.monotonic()
    order_id = require(await shop.call(order((product_id, 2))), 201)["id"]
    await _until_fulfilled(shop, order_id, started + step_seconds + GIVE_UP_SECONDS)
    took = time.monotonic() - started
    await shop.get(f"{ORDERS}/{order_id}")
    fulfilment = require(await shop.get(f"{API}/fulfilments/{order_id}"), 200)
    as_promised = {"state": "fulfilled", "attempt": 1, "failures": 0}
    expect(as_promised.items() <= fulfilment.items(), f"its fulfilment is {fulfilment}")
    expect(took >= step_seconds, f"it took only {took:.2f} s")
    shop.expect_within(took, step_seconds + LATER_SECONDS)
    return f"after {took:.2f} s; the log of `up` says: Order #{order_id} Processed"


async def _until_fulfilled(shop: Shop, order_id: int, give_up_at: float) -> None:
    while (state := require(await shop.ask(Call("GET", f"{ORDERS}/{order_id}")), 200)["state"]) != "fulfilled":
        if state != "placed" or time.monotonic() > give_up_at:
            raise Unmet(f"order {order_id} is {state}")
        await asyncio.sleep(0.05)


async def listed(shop: Shop) -> str:
    product_id = await shop.product("Laptop", 999.99, 5)
    first = require(await shop.call(order((product_id, 1))), 201)["id"]
    second = require(await shop.call(order((product_id, 2))), 201)["id"]
    rows = require(await shop.get(f"{ORDERS}?after={first - 1}&limit=1000"), 200)
    ids = [row["id"] for row in rows]
    expect(ids == sorted(ids) and {first, second} <= set(ids), f"the list has the orders {ids}")
    row = require(await shop.get(f"{ORDERS}/{second}"), 200)
    expect((row["id"], row["quantity"]) == (second, 2), f"order {second} reads {row}")
    return f"orders {first} and {second}, in order"


async def repeated(shop: Shop) -> str:
    product_id = await shop.product("Laptop", 999.99, 500)
    key = f"demo-{uuid.uuid4()}"
    first = require(await shop.call(order((product_id, 1), key=key)), 201)
    again = require(await shop.call(order((product_id, 1), key=key)), 201)
    expect(first == again, f"the repeat was answered {again}")
    require(await shop.call(order((product_id, 2), key=key)), 422)

    twins = await shop.together([order((product_id, 1), key=f"{key}-twins")] * TWINS)
    answers: list[Json] = [require(twin, 201) for twin in twins]
    expect(all(answer == answers[0] for answer in answers), "equal calls got different answers")
    left = await shop.stock(product_id)
    expect(left == 498, f"two orders of one unit left {left} of 500")
    return f"one order, one answer, also {TWINS} at once; another body gets 422"


async def price_changed(shop: Shop) -> str:
    product_id = await shop.product("Laptop", 999.99, 5)
    changed: Json = {"name": "Laptop", "price": 1099.99, "stock": 5}
    require(await shop.call(Call("PUT", f"{PRODUCTS}/{product_id}", changed)), 200)
    refused = require(await shop.call(order((product_id, 2), expected_total=1999.98)), 409)
    expect(refused["total"] == 2199.98, f"the refusal names the total {refused['total']}")
    expect(await shop.stock(product_id) == 5, "the refused order took stock")
    taken = require(await shop.call(order((product_id, 2), expected_total=2199.98)), 201)
    expect(taken["total"] == 2199.98, f"the order's total is {taken['total']}")
    return "409 names the new total; with that one the order is placed"
