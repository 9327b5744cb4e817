"""A client of the running system that prints each call and its answer."""

import asyncio
import json
import textwrap
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Self

import httpx
from rich.console import Console

API = "/api/v1"
PRODUCTS = f"{API}/products"
ORDERS = f"{API}/orders"
# httpx looks through all its connections at each request: a hundred of one client take three times as long as five of twenty.
CLIENTS = 20
CONNECTIONS = 5
AT_ONCE = CLIENTS * CONNECTIONS
ANSWER_SECONDS = 30.0

Json = Any


class Unmet(Exception):
    """What was promised is not so; the text says what is."""


def expect(so: bool, otherwise: str) -> None:
    if not so:
        raise Unmet(otherwise)


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Json = None
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        shown = "".join(f" {name}: {value}" for name, value in self.headers if name != "Idempotency-Key")
        return f"{self.method} {self.path}{shown}" + (
            "" if self.body is None else f" {_short(json.dumps(self.body), 90)}"
        )


def order(*lines: tuple[int, int], key: str = "", **more: Json) -> Call:
    """An order of (product_id, quantity), one or several, with a key of its own unless one is given."""
    items = [{"product_id": product_id, "quantity": quantity} for product_id, quantity in lines]
    body = (items[0] if len(items) == 1 else {"items": items}) | more
    return Call("POST", ORDERS, body, (("Idempotency-Key", key or f"demo-{uuid.uuid4()}"),))


def require(answer: httpx.Response, status: int) -> Json:
    """Its body, if it has this status; Unmet otherwise."""
    expect(answer.status_code == status, f"{status} was expected, the answer is {_shown(answer)}")
    return answer.json()


def next_page(answer: httpx.Response) -> str | None:
    return answer.links.get("next", {}).get("url")


class Shop(AsyncExitStack):
    """`made` and `sold` are what this client was told: the products it has, and the units of each it was sold.

    Unless `in_time` matters, nothing takes too long: a test may run on a busy machine.
    """

    def __init__(self, url: str, console: Console, *, in_time: bool = True, auth: httpx.Auth | None = None) -> None:
        super().__init__()
        self.console = console
        self.made: list[int] = []
        self.sold: Counter[int] = Counter()
        self.acknowledged: set[int] = set()
        self._in_time = in_time
        self._clients = _clients(url, auth)
        self._next_client = cycle(self._clients)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        for client in self._clients:
            await self.enter_async_context(client)
        return self

    async def call(self, call: Call) -> httpx.Response:
        answer = await self.ask(call)
        self.say(f"{call}", f"{_shown(answer)}  ({answer.elapsed.total_seconds() * 1000:.0f} ms)")
        return answer

    async def together(self, calls: Sequence[Call]) -> list[httpx.Response]:
        """All at once, at most AT_ONCE in flight; printed as one line."""
        started = time.monotonic()
        answers = await asyncio.gather(*(self.ask(call) for call in calls))
        kinds = Counter(f"{answer.status_code} {_detail(answer)}".strip() for answer in answers)
        counts = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
        self.say(f"{len(calls)} at once: {calls[0]} ...", f"{counts}  ({time.monotonic() - started:.2f} s)")
        return answers

    async def ask(self, call: Call) -> httpx.Response:
        """The call, without a word."""
        try:
            async with self._room:
                answer = await self._send(call)
        except httpx.HTTPError as error:
            raise Unmet(f"{call.method} {call.path} got no answer: {type(error).__name__}") from error
        if call.path == ORDERS and answer.status_code == httpx.codes.CREATED:
            self._remember(answer.json())
        return answer

    async def _send(self, call: Call) -> httpx.Response:
        client = next(self._next_client)
        return await client.request(call.method, call.path, json=call.body, headers=list(call.headers))

    def _remember(self, placed: Json) -> None:
        if placed["id"] not in self.acknowledged:
            self.acknowledged.add(placed["id"])
            self.sold.update({item["product_id"]: item["quantity"] for item in placed["items"]})

    def say(self, call: str, answer: str) -> None:
        self.console.print(f"  {call}\n    -> {answer}", markup=False, soft_wrap=True)

    def expect_within(self, seconds: float, most: float) -> None:
        expect(seconds <= most or not self._in_time, f"it took {seconds:.2f} s")

    async def get(self, path: str) -> httpx.Response:
        return await self.call(Call("GET", path))

    async def product(self, name: str, price: float, stock: int) -> int:
        """The id of a new product."""
        body = {"name": name, "price": price, "stock": stock}
        created = await self.call(Call("POST", PRODUCTS, body, (("Idempotency-Key", f"demo-{uuid.uuid4()}"),)))
        product_id = int(require(created, 201)["id"])
        self.made.append(product_id)
        return product_id

    async def stock(self, product_id: int) -> int:
        return int(require(await self.ask(Call("GET", f"{PRODUCTS}/{product_id}")), 200)["stock"])


def _clients(url: str, auth: httpx.Auth | None) -> list[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    trust = httpx.create_ssl_context()
    return [
        httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, limits=limits, verify=trust, auth=auth)
        for _ in range(CLIENTS)
    ]


def _detail(answer: httpx.Response) -> str:
    return str(answer.json()["detail"]) if answer.is_error else ""


def _shown(answer: httpx.Response) -> str:
    return f"{answer.status_code} {_short(answer.text, 120)}"


def _short(text: str, most: int) -> str:
    return textwrap.shorten(text, most, placeholder=" ...")
