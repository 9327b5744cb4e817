"""Buyers, readers, stock keepers and an operator: a steady load, bounded however slow the system gets."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import httpx
import orjson

from faults.client import API, AWAY, Client
from faults.failing_worker import fails_after_its_effect
from faults.ledger import Adjustment, Ledger, Placement

BUYERS = 20
ORDERS_A_SECOND = 40.0
READERS = 3
PAUSE_SECONDS = 0.15
FLASH_STOCK = 15
STOCKS = (1_000_000, 1_000_000, 1_000_000, 1_000_000, 60, 60)
PRICES = (9.99, 10.49)


class Load:
    """`random` is seeded too: who buys what follows the schedule's seed, as far as timing lets it."""

    def __init__(self, url: str, private_url: str, operator_token: str, seed: str) -> None:
        self.ledger = Ledger()
        self.client = Client(url, self.ledger)
        self._operator = httpx.AsyncClient(
            base_url=private_url,
            timeout=10,
            headers={"Authorization": f"Bearer {operator_token}"},
            limits=httpx.Limits(max_keepalive_connections=0),  # a kept connection would ask one replica for ever
        )
        self._random = random.Random(seed)
        self.products: list[int] = []
        self.repriced = 0
        self.flash: int | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._later: set[asyncio.Task[None]] = set()
        self._recent: list[int] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        for number, stock in enumerate(STOCKS):
            self.products.append(await self.client.create_product(f"product {number}", stock))
        self.repriced = await self.client.create_product("of changing price", STOCKS[0])
        turns = [self._buy] * BUYERS + [self._read] * READERS + [self._keep_stock, self._operate]
        self._loops = [asyncio.create_task(self._repeat(turn)) for turn in turns]

    async def begin_flash_sale(self, number: int) -> None:
        self.flash = None
        product = await self.client.create_product(f"flash sale {number}", FLASH_STOCK)
        self.ledger.flash_sales[product] = FLASH_STOCK
        self.flash = product

    async def stop(self) -> None:
        """Nobody starts anything new; who asked already goes on until he knows, for a while."""
        self._stopping.set()
        await asyncio.gather(*self._loops)
        if self._later:
            await asyncio.wait(self._later, timeout=30)
        for task in self._later:
            task.cancel()

    async def close(self) -> None:
        for task in (*self._loops, *self._later):
            task.cancel()
        await asyncio.gather(*self._loops, *self._later, return_exceptions=True)
        await self.client.close()
        await self._operator.aclose()

    async def _repeat(self, turn: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            await turn()

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self._random.expovariate(1 / seconds))

    async def _buy(self) -> None:
        await self._pause(BUYERS / ORDERS_A_SECOND)
        key = f"{uuid.UUID(int=self._random.getrandbits(128))}"
        if self._random.random() < 0.03:
            await self._buy_at_the_price_seen(key)
        else:
            await self._order(key, self._cart())
        if self._random.random() < 0.03:
            await self._order(key.swapcase(), self._cart())

    async def _buy_at_the_price_seen(self, key: str) -> None:
        price = await self.client.price_of(self.repriced)
        placement = self.ledger.placements.setdefault(key, Placement(key, [(self.repriced, 1)], expected_total=price))
        if price is not None:
            await self.client.place(placement)

    def _cart(self) -> list[tuple[int, int]]:
        chance = self._random.random()
        if self.flash is not None and chance < 0.1:
            return [(self.flash, 1)]
        count = 2 if chance < 0.35 else 1
        return [(product, self._random.randint(1, 3)) for product in self._random.sample(self.products, count)]

    async def _order(self, key: str, lines: Sequence[tuple[int, int]]) -> None:
        placement = self.ledger.placements.setdefault(key, Placement(key, lines))
        if self._random.random() < 0.05:  # a nervous client sends everything twice
            await asyncio.gather(self.client.place(placement), self.client.place(placement))
        elif not await self.client.place(placement) and self._random.random() < 0.8:
            self._do_later(self._insist(placement))
        if placement.acknowledged and placement.order_id is not None:
            self._recent = [*self._recent[-300:], placement.order_id]
            self._follow_up(placement, placement.order_id)

    def _follow_up(self, placement: Placement, order_id: int) -> None:
        on_sale = placement.lines[0][0] in self.ledger.flash_sales  # these must stay sold
        if not on_sale and self._random.random() < 0.15:
            self._do_later(self._cancel(order_id, self._random.choice([0.0, self._random.uniform(0, 4)])))
        if self._random.random() < 0.02:
            self._do_later(self.client.misuse(placement))
        if self._random.random() < 0.08:
            self._do_later(self._repeat_later(placement, self._random.uniform(0, 15)))

    async def _insist(self, placement: Placement) -> None:
        """The same key until the answer is definite."""
        for _ in range(30):
            await self._pause(1.0)
            if await self.client.place(placement):
                return

    async def _repeat_later(self, placement: Placement, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.client.place(placement)

    async def _cancel(self, order_id: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.client.cancel(order_id, early=seconds == 0.0)
        if self._random.random() < 0.3:
            await self.client.cancel(order_id)

    async def _read(self) -> None:
        await self._pause(PAUSE_SECONDS)
        if self._recent:
            await self.client.look_at(self._random.choice(self._recent))
            await self.client.call("GET", f"{API}/fulfilments/{self._random.choice(self._recent)}")
        if self._random.random() < 0.3:
            await self.client.products(self._random.sample(self.products, 1))

    async def _keep_stock(self) -> None:
        await self._pause(1.0)
        await self.client.reprice(self.repriced, self._random.choice(PRICES), STOCKS[0])
        if self._random.random() < 0.1:
            await self.client.discontinue(f"short-lived {self._random.getrandbits(64)}")
        product, delta = self._random.choice(self.products[-2:]), self._random.choice([5, 10, 20, 40, -3])
        reason = f"count {self._random.getrandbits(64)}"
        adjustment = Adjustment(product, delta, reason)
        self.ledger.adjustments.append(adjustment)
        for _ in range(3):
            body = {"delta": delta, "reason": reason}
            answer = await self.client.call("POST", f"{API}/products/{product}/stock-adjustments", body, reason)
            if answer is not None and answer.status not in AWAY:
                adjustment.applied = answer.status == 201
                return
            await self._pause(1.0)

    async def _operate(self) -> None:
        """A person looks after failed orders: half get another chance, half are cancelled; and announces the latest again.

        Of those whose effect may have happened some are cancelled by force: whoever does that knows.
        """
        await self._pause(1.0)
        await asyncio.gather(*(self._operator_asks(order_id, "announce") for order_id in self._recent[-4:]))
        answer = await self.client.call("GET", f"{API}/orders?state=failed&limit=20")
        if answer is None or answer.status != 200:
            return
        for order in orjson.loads(answer.body):
            on_sale = order["product_id"] in self.ledger.flash_sales
            chance = self._random.random()
            if not on_sale and chance < 0.2 and fails_after_its_effect(order["id"]):
                await self._cancel_by_force(order["id"])
            elif not on_sale and chance < 0.5:
                await self.client.cancel(order["id"])
            elif await self._operator_asks(order["id"], "redrive") == 200:
                self.ledger.redriven.add(order["id"])

    async def _cancel_by_force(self, order_id: int) -> None:
        """Refused, it must have had no effect; unanswered, it may have had one."""
        self.ledger.perhaps_forced.add(order_id)
        status = await self._operator_asks(order_id, "cancel?force=true")
        if status == 200:
            self.ledger.forced.add(order_id)
        elif status == 409:
            self.ledger.perhaps_forced.discard(order_id)

    async def _operator_asks(self, order_id: int, what: str) -> int | None:
        """The status of the answer, None when there is none."""
        try:
            response = await self._operator.post(f"/private/orders/{order_id}/{what}")
        except httpx.TransportError:
            return None
        if response.status_code not in {200, 409, 503}:
            self.ledger.violation(f"{what} of order {order_id} was answered {response.status_code}")
        return response.status_code
