"""A client of the running system that prints each call and its answer."""

import asyncio
import json
import textwrap
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import Any, Self

import httpx
from rich.console import Console

from local.demo.verdicts import Unmet

API = "/api/v1"
PRODUCTS = f"{API}/products"
ORDERS = f"{API}/orders"
# httpx looks through all its connections at each request: a hundred of one client take three times as long as five of twenty.
CLIENTS = 20
CONNECTIONS = 5
AT_ONCE = CLIENTS * CONNECTIONS
ANSWER_SECONDS = 30.0

Json = Any


@dataclass(frozen=True)
class Answer:
    """Status 0 stands for no answer at all."""

    status: int
    body: Json
    seconds: float
    etag: str = ""
    next_page: str | None = None

    def require(self, status: int) -> Json:
        """Its body, if it has this status."""
        if self.status != status:
            raise Unmet(f"{status} was expected, the answer is {self}")
        return self.body

    @property
    def gist(self) -> str:
        """The status, with the sentence if it is a refusal: what equal answers have in common."""
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        return f"{self.status or 'no answer'}" + (f" {detail}" if detail else "")

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {_short(self.body, 120)}"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Json = None
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        shown = "".join(f" {name}: {value}" for name, value in self.headers if name != "Idempotency-Key")
        return f"{self.method} {self.path}{shown}" + ("" if self.body is None else f" {_short(self.body, 90)}")


def order(*lines: tuple[int, int], key: str = "", **more: Json) -> Call:
    """An order of (product_id, quantity), one or several, with a key of its own unless one is given."""
    items = [{"product_id": product_id, "quantity": quantity} for product_id, quantity in lines]
    body = (items[0] if len(items) == 1 else {"items": items}) | more
    return Call("POST", ORDERS, body, (("Idempotency-Key", key or f"demo-{uuid.uuid4()}"),))


class Shop(AbstractAsyncContextManager["Shop"]):
    """`made` and `sold` are what this client was told: the products it has, and the units of each it was sold."""

    def __init__(self, url: str, console: Console) -> None:
        self.console = console
        self.made: list[int] = []
        self.sold: Counter[int] = Counter()
        self._clients = _clients(url)
        self._next_client = cycle(self._clients)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._acknowledged: set[int] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            await client.aclose()

    async def call(self, call: Call) -> Answer:
        answer = await self.ask(call)
        self.say(f"{call}", f"{answer}  ({answer.seconds * 1000:.0f} ms)")
        return answer

    async def together(self, calls: Sequence[Call]) -> list[Answer]:
        """All at once, at most AT_ONCE in flight; printed as one line."""
        started = time.monotonic()
        answers = await asyncio.gather(*(self.ask(call) for call in calls))
        gists = Counter(answer.gist for answer in answers)
        counts = ", ".join(f"{count} x {gist}" for gist, count in sorted(gists.items()))
        self.say(f"{len(calls)} at once: {calls[0]} ...", f"{counts}  ({time.monotonic() - started:.2f} s)")
        return answers

    async def ask(self, call: Call) -> Answer:
        """The call, without a word."""
        async with self._room:
            answer = await self._send(call)
        if call.path == ORDERS and answer.status == httpx.codes.CREATED:
            self._remember(answer.body)
        return answer

    async def _send(self, call: Call) -> Answer:
        started = time.monotonic()
        try:
            client = next(self._next_client)
            response = await client.request(call.method, call.path, json=call.body, headers=list(call.headers))
            body = response.json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            return Answer(0, {"detail": type(error).__name__}, time.monotonic() - started)
        following = response.links.get("next", {}).get("url")
        seconds = time.monotonic() - started
        return Answer(response.status_code, body, seconds, response.headers.get("etag", ""), following)

    def _remember(self, placed: Json) -> None:
        if placed["id"] not in self._acknowledged:
            self._acknowledged.add(placed["id"])
            self.sold.update({item["product_id"]: item["quantity"] for item in placed["items"]})

    def say(self, call: str, answer: str) -> None:
        self.console.print(f"  {call}\n    -> {answer}", markup=False, soft_wrap=True)

    async def get(self, path: str) -> Answer:
        return await self.call(Call("GET", path))

    async def product(self, name: str, price: float, stock: int) -> int:
        """The id of a new product."""
        body = {"name": name, "price": price, "stock": stock}
        created = await self.call(Call("POST", PRODUCTS, body, (("Idempotency-Key", f"demo-{uuid.uuid4()}"),)))
        product_id = int(created.require(201)["id"])
        self.made.append(product_id)
        return product_id

    async def stock(self, product_id: int) -> int:
        return int((await self.ask(Call("GET", f"{PRODUCTS}/{product_id}"))).require(200)["stock"])


def _clients(url: str) -> list[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    trust = httpx.create_ssl_context()
    return [
        httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, limits=limits, verify=trust) for _ in range(CLIENTS)
    ]


def _short(body: Json, most: int) -> str:
    return textwrap.shorten(json.dumps(body, ensure_ascii=False), most, placeholder=" ...")
