"""The public API as the clients of the run use it: every answer is written into the ledger."""

import sys
import time
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, cast

import httpx
import orjson

from faults.ledger import Answer, Ledger, Placement

TIMEOUT = httpx.Timeout(20, connect=3)
API = "/api/v1"
NOT_ACCEPTED = "The order was not accepted"
# Sentences of a 503 after which no order needs to be looked for, or that the gateway says, which knows no keys.
NOTHING_DONE = (NOT_ACCEPTED, "Too many requests are waiting", "The service is not available")
EARLY_SECONDS = 0.5
# httpcore imports it at every request, to see whether trio runs. Where it isn't installed Python looks on the disk each time.
sys.modules.setdefault("trio", cast(ModuleType, None))

AWAY = {408, 425, 429, 502, 503, 504}


class Client:
    def __init__(self, url: str, ledger: Ledger) -> None:
        self.ledger = ledger
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=2)
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT, limits=limits)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, path: str, body: Any = None, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        """None when the outcome is unknown: no answer at all."""
        headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {}) | dict(headers or {})
        content = orjson.dumps(body) if body is not None else None
        name = f"{method} {path.strip('0123456789')}"
        with self.ledger.request():
            try:
                response = await self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                self.ledger.error(f"{name}: {type(error).__name__}")
                return None
        answer = Answer(response.status_code, response.content)
        if response.status_code in AWAY:
            self.ledger.error(f"{name}: {response.status_code} {_detail(answer)}")
            return answer
        self._judge(name, answer)
        return answer

    def _judge(self, name: str, answer: Answer) -> None:
        """Away is allowed while something is; anything else of 500 and above never is."""
        if answer.status >= 500:
            self.ledger.violation(f"{name} was answered {answer.status}: {answer.body[:200]!r}")

    async def place(self, placement: Placement) -> bool:
        """Whether the answer is definite."""
        items = [{"product_id": product, "quantity": quantity} for product, quantity in placement.lines]
        body: dict[str, Any] = {"items": items} if len(items) > 1 else {**items[0]}
        if placement.expected_total is not None:
            body |= {"expected_total": placement.expected_total}
        placement.sent += 1
        with self.ledger.wait(frozenset(product for product, _ in placement.lines)) as wait:
            answer = await self.call("POST", f"{API}/orders", body, placement.key)
            wait.refused = answer is None or answer.status in AWAY
        if answer is None or answer.status in AWAY:
            placement.unknown += 1
            placement.not_accepted += answer is not None and _detail(answer).startswith(NOT_ACCEPTED)
            self.ledger.named(placement, _order_id(answer) if answer else None)
            self._is_told_its_key(placement, answer)
            return False
        if answer.status in {201, 400} or (answer.status == 409 and placement.expected_total is not None):
            self.ledger.answered(placement, answer, _order_id(answer))
            self._compare_total(placement, answer)
        elif answer.status < 500:
            self.ledger.violation(f"placing {placement.lines} was answered {answer.status}: {answer.body[:200]!r}")
        return True

    def _is_told_its_key(self, placement: Placement, answer: Answer | None) -> None:
        """Ordering names the key whenever the order may exist; who sent none could not find it otherwise."""
        if answer is None or answer.status != 503 or _detail(answer).startswith(NOTHING_DONE):
            return
        if orjson.loads(answer.body).get("idempotency_key") != placement.key:
            self.ledger.violation(f"key {placement.key} was answered 503 without it: {answer.body[:200]!r}")

    def _compare_total(self, placement: Placement, answer: Answer) -> None:
        """In cents: floats of two places are exact as text, not in sums."""
        if answer.status != 201:
            return
        order = orjson.loads(answer.body)
        items = [round(item["unit_price"] * 100) * item["quantity"] for item in order["items"]]
        if round(order["total"] * 100) != sum(items):
            self.ledger.violation(f"order {order['id']}: total {order['total']}, items {order['items']}")
        if placement.expected_total not in {None, order["total"]}:
            self.ledger.violation(f"order {order['id']} expects {placement.expected_total}, came to {order['total']}")

    async def misuse(self, placement: Placement) -> None:
        """Another body under a key that was answered: refused, and nothing else."""
        body = {"product_id": placement.lines[0][0], "quantity": 9_999}
        answer = await self.call("POST", f"{API}/orders", body, placement.key)
        if answer is not None and answer.status not in AWAY | {422}:
            self.ledger.violation(f"key {placement.key} took another body with {answer.status}")

    async def look_at(self, order_id: int) -> str | None:
        """Its state. An order that somebody knows of can always be read."""
        asked_at = time.monotonic()
        answer = await self.call("GET", f"{API}/orders/{order_id}")
        if answer is None or answer.status in AWAY:
            return None
        if answer.status != 200:
            self.ledger.violation(f"order {order_id} was acknowledged and read as {answer.status}")
            return None
        order = orjson.loads(answer.body)
        self.ledger.saw(order_id, order["state"], asked_at)
        return str(order["state"])

    async def cancel(self, order_id: int, *, early: bool = False) -> None:
        """`early`: the order was acknowledged a moment ago, so its step has hardly begun."""
        asked_at, calm = time.monotonic(), self.ledger.calm
        answer = await self.call("POST", f"{API}/orders/{order_id}/cancel")
        if answer is None or answer.status in AWAY:
            return
        self.ledger.cancels[answer.status] += 1
        if answer.status in {200, 202}:
            self.ledger.saw(order_id, orjson.loads(answer.body)["state"], asked_at)
            if early and time.monotonic() - asked_at < EARLY_SECONDS:
                self.ledger.early_cancels[order_id] = calm and self.ledger.calm
        elif answer.status == 409:
            self.ledger.too_late[order_id] = orjson.loads(answer.body).get("state", "")
        else:
            self.ledger.violation(f"cancelling order {order_id} was answered {answer.status}")

    async def create_product(self, name: str, stock: int) -> int:
        """Its id; asks until it is answered, always under one key."""
        body = {"name": name, "price": 9.99, "stock": stock}
        while True:
            answer = await self.call("POST", f"{API}/products", body, f"product {name}")
            if answer is not None and answer.status == 201:
                product_id = int(orjson.loads(answer.body)["id"])
                self.ledger.initial[product_id] = stock
                return product_id

    async def price_of(self, product_id: int) -> float | None:
        answer = await self.call("GET", f"{API}/products/{product_id}")
        return float(orjson.loads(answer.body)["price"]) if answer is not None and answer.status == 200 else None

    async def reprice(self, product_id: int, price: float, stock: int) -> None:
        """By a PUT, which replaces everything."""
        body = {"name": "of changing price", "price": price, "stock": stock}
        answer = await self.call("PUT", f"{API}/products/{product_id}", body)
        if answer is not None and answer.status not in AWAY | {200}:
            self.ledger.violation(f"a PUT of product {product_id} was answered {answer.status}")

    async def discontinue(self, name: str) -> None:
        """A product comes, is changed by somebody who looked too long ago, and goes."""
        product_id = await self.create_product(name, 5)
        path = f"{API}/products/{product_id}"
        body = {"name": name, "price": 1, "stock": 6}
        stale = await self.call("PUT", path, body, headers={"if-match": '"999"'})
        if stale is not None and stale.status not in AWAY | {412}:
            self.ledger.violation(f"a PUT of a version that never was, of product {product_id}: {stale.status}")
        gone = await self.call("DELETE", path)
        if gone is None or gone.status in AWAY:
            return
        after = await self.call("GET", path)
        if gone.status != 200 or (after is not None and after.status not in AWAY | {404}):
            self.ledger.violation(f"product {product_id} was deleted with {gone.status}, then read with {after}")
        self.ledger.discontinued += 1

    async def products(self, ids: Sequence[int]) -> None:
        for product_id in ids:
            answer = await self.call("GET", f"{API}/products/{product_id}")
            if answer is not None and answer.status == 200 and orjson.loads(answer.body)["stock"] < 0:
                self.ledger.violation(f"product {product_id} was seen with a negative stock: {answer.body!r}")


def _detail(answer: Answer) -> str:
    return str(orjson.loads(answer.body).get("detail")) if answer.body.startswith(b"{") else ""


def _order_id(answer: Answer) -> int | None:
    body = orjson.loads(answer.body) if answer.body.startswith(b"{") else {}
    found = body.get("id", body.get("order_id"))
    return int(found) if found is not None else None
