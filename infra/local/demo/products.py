"""Products: what is kept, what is refused, and that each stock explains itself."""

from local.demo.shop import ORDERS, PRODUCTS, Call, Json, Shop, expect, next_page, order, require

MOVEMENTS_A_PAGE = 500


async def healthy(shop: Shop) -> str:
    _require_equal({"status": "healthy"}, require(await shop.get("/health"), 200))
    return "an order can be placed and fulfilled"


async def kept(shop: Shop) -> str:
    laptop = await shop.product("Laptop", 999.99, 5)
    path = f"{PRODUCTS}/{laptop}"
    as_created = {"id": laptop, "name": "Laptop", "price": 999.99, "stock": 5}
    _require_equal(as_created, require(await shop.get(path), 200))
    _require_equal([as_created], require(await shop.get(f"{PRODUCTS}?after={laptop - 1}&limit=1"), 200))

    pro: Json = {"name": "Laptop Pro", "price": 1299.99, "stock": 3}
    replaced = await shop.call(Call("PUT", path, pro))
    _require_equal({"id": laptop, **pro}, require(replaced, 200))
    _require_equal({"id": laptop, **pro}, require(await shop.get(path), 200))
    return f"product {laptop} is created, listed, read and replaced"


async def stale_if_match(shop: Shop) -> str:
    product_id = await shop.product("Laptop", 999.99, 5)
    path = f"{PRODUCTS}/{product_id}"
    seen = (("If-Match", (await shop.get(path)).headers["etag"]),)
    fresh: Json = {"name": "Laptop", "price": 899.99, "stock": 5}
    require(await shop.call(Call("PUT", path, fresh, seen)), 200)
    require(await shop.call(Call("PUT", path, fresh | {"stock": 100}, seen)), 412)
    _require_equal({"id": product_id, **fresh}, require(await shop.get(path), 200))
    return "412, and the product is as it was"


async def deleted(shop: Shop) -> str:
    product_id = await shop.product("Laptop Pro", 1299.99, 3)
    placed = require(await shop.call(order((product_id, 2))), 201)
    gone = await shop.call(Call("DELETE", f"{PRODUCTS}/{product_id}"))
    _require_equal({"message": "Product deleted"}, require(gone, 200))
    shop.made.remove(product_id)

    require(await shop.get(f"{PRODUCTS}/{product_id}"), 404)
    refused = require(await shop.call(order((product_id, 1))), 404)
    expect(refused["detail"] == "Product not found", f"the refusal says {refused['detail']}")
    kept_order = require(await shop.get(f"{ORDERS}/{placed['id']}"), 200)
    _require_equal(placed["items"], kept_order["items"])
    return f"gone for new orders, and order {placed['id']} is still readable"


async def explained(shop: Shop) -> str:
    """Of every product of this demo: what its movements add up to, what it holds, and what its buyers were told."""
    for product_id in shop.made:
        movements = await _movements(shop, product_id)
        stock, total = await shop.stock(product_id), sum(movement["delta"] for movement in movements)
        expect(stock == total, f"product {product_id} has {stock}, and its movements add up to {total}")
        taken = -sum(movement["delta"] for movement in movements if movement["kind"] == "reservation")
        sold = shop.sold[product_id]
        expect(taken == sold, f"of product {product_id} {taken} were taken, and {sold} acknowledged")
    units = sum(shop.sold[product_id] for product_id in shop.made)
    shop.say(f"GET {PRODUCTS}/{{id}}/stock-movements, of {len(shop.made)} products", f"all add up; {units} units sold")
    expect(units > 0, "nothing was sold, so this says nothing")
    return f"{len(shop.made)} products, {units} units sold as acknowledged"


async def _movements(shop: Shop, product_id: int) -> list[Json]:
    found: list[Json] = []
    page: str | None = f"{PRODUCTS}/{product_id}/stock-movements?limit={MOVEMENTS_A_PAGE}"
    while page:
        answer = await shop.ask(Call("GET", page))
        found += require(answer, 200)
        page = next_page(answer)
    return found


def _require_equal(expected: Json, given: Json) -> None:
    expect(expected == given, f"{expected} was expected, the answer is {given}")
