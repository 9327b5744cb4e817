"""A thousand orders as fast as they go in, and how soon the last is done."""

import asyncio
import time

from local.demo.shop import ORDERS, Call, Shop, expect, next_page, order, require

BURST = 1000
PRODUCTS_IN_BURST = 10
LATER_SECONDS = 5.0  # what the last order may take beyond its step
GIVE_UP_SECONDS = 60.0
POLL_SECONDS = 0.2


async def burst(shop: Shop, step_seconds: float, size: int = BURST) -> str:
    made = [await shop.product(f"Burst {n}", 9.99, size) for n in range(PRODUCTS_IN_BURST)]
    started = time.monotonic()
    answers = await shop.together([order((made[n % PRODUCTS_IN_BURST], 1)) for n in range(size)])
    placed_at = time.monotonic()
    ids = {require(answer, 201)["id"] for answer in answers}
    expect(len(ids) == size, f"{len(ids)} orders came of {size} calls")

    waiting = await _wait(shop, ids, placed_at + step_seconds + GIVE_UP_SECONDS)
    took = time.monotonic() - placed_at
    shop.say(f"GET {ORDERS}?after=...&limit=1000 until all are fulfilled", f"{size - len(waiting)} after {took:.2f} s")
    expect(not waiting, f"{len(waiting)} of {size} are not fulfilled {took:.1f} s after the last was placed")
    shop.expect_within(took, step_seconds + LATER_SECONDS)
    return f"placed in {placed_at - started:.2f} s, the last fulfilled {took:.2f} s after the last was placed"


async def _wait(shop: Shop, ids: set[int], until: float) -> set[int]:
    """Those that are not fulfilled when time is up."""
    waiting = set(ids)
    while waiting and time.monotonic() <= until:
        await asyncio.sleep(POLL_SECONDS)
        waiting -= await _fulfilled(shop, min(waiting), max(waiting))
    return waiting


async def _fulfilled(shop: Shop, first: int, last: int) -> set[int]:
    done: set[int] = set()
    page: str | None = f"{ORDERS}?after={first - 1}&limit=1000&state=fulfilled"
    while page:
        answer = await shop.ask(Call("GET", page))
        rows = require(answer, 200)
        done |= {row["id"] for row in rows}
        page = next_page(answer) if rows and rows[-1]["id"] < last else None
    return done
