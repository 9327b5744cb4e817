"""The demo's verdicts can fail."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from rich.console import Console

from local.demo import products, races, verdicts
from local.demo.__main__ import require_running
from local.demo.shop import Call, Json, Shop, Unmet, expect
from local.demo.verdicts import Scene, judge
from local.errors import LocalError
from local.processes import free_port

QUIET = Console(quiet=True)
REFUSED = (400, {"detail": races.SOLD_OUT})
WENT_WRONG = (500, {"detail": "Something went wrong"})


class Scripted(Shop):
    """Answers from a script, by method and path; a buyer's answer depends on how many came before."""

    def __init__(self, answers: dict[str, list[Json]]) -> None:
        super().__init__("http://nowhere", QUIET)
        self.answers = answers

    async def _send(self, call: Call) -> httpx.Response:
        script = self.answers[f"{call.method} {call.path}"]
        status, body = script.pop(0) if len(script) > 1 else script[0]
        answer = httpx.Response(status, json=body, request=httpx.Request(call.method, "http://nowhere"))
        answer.elapsed = timedelta(0)
        return answer


def sale(sold: int, refused: int, left: int) -> Scripted:
    """To fifty buyers; whoever is neither sold nor refused anything meets an error."""
    placed = [(201, {"id": n, "items": [{"product_id": 1, "quantity": 1}]}) for n in range(sold)]
    return Scripted(
        {
            "POST /api/v1/products": [(201, {"id": 1})],
            "POST /api/v1/orders": [*placed, *[REFUSED] * refused, *[WENT_WRONG] * (50 - sold - refused)],
            "GET /api/v1/products/1": [(200, {"stock": left})],
        }
    )


async def test_ten_of_fifty_served_is_what_is_promised() -> None:
    assert "10 x 201" in await races.flash_sale(sale(sold=10, refused=40, left=0))


@pytest.mark.parametrize(("sold", "refused", "left"), [(11, 39, 0), (9, 41, 1), (10, 40, 1), (10, 39, 0)])
async def test_one_too_many_one_too_few_and_a_stock_that_lies_all_fail(sold: int, refused: int, left: int) -> None:
    with pytest.raises(Unmet):
        await races.flash_sale(sale(sold, refused, left))


@pytest.mark.parametrize(
    ("left", "sold", "complaint"),
    [(4, 2, "has 4, and its movements add up to 3"), (3, 1, "2 were taken, and 1 acknowledged")],
)
async def test_a_stock_that_does_not_explain_itself_fails(left: int, sold: int, complaint: str) -> None:
    shop = sale(sold=1, refused=0, left=left)
    movements = [{"kind": "reservation", "delta": -2}, {"kind": "initial", "delta": 5}]
    shop.answers["GET /api/v1/products/1/stock-movements?limit=500"] = [(200, movements)]
    shop.made = [1]
    shop.sold.update({1: sold})

    with pytest.raises(Unmet, match=complaint):
        await products.explained(shop)


async def test_no_answer_is_not_the_answer() -> None:
    async with Shop(f"http://127.0.0.1:{free_port()}", QUIET) as shop:
        with pytest.raises(Unmet, match="no answer"):
            await products.healthy(shop)


async def verdict_on(play: Any) -> verdicts.Verdict:
    return await judge(Scene("it is so", play), Scripted({}))


async def test_what_never_ends_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "LONGEST_SECONDS", 0.05)

    assert not (await verdict_on(lambda _shop: asyncio.sleep(60, "never"))).holds


async def test_a_verdict_says_what_was_seen_instead() -> None:
    async def lie(_shop: Shop) -> str:
        expect(so=False, otherwise="it is not so")
        return "all well"

    verdict = await verdict_on(lie)

    assert (verdict.holds, verdict.seen) == (False, "it is not so")


async def test_what_takes_too_long_fails_where_time_matters() -> None:
    with pytest.raises(Unmet, match=r"it took 2\.00 s"):
        Shop("http://nowhere", QUIET).expect_within(2, 1)
    Shop("http://nowhere", QUIET, in_time=False).expect_within(2, 1)


def test_where_nothing_runs_it_says_so_in_one_sentence() -> None:
    with pytest.raises(LocalError, match=r"^Nothing answers on .*`\./justw up`.*\.$"):
        require_running(f"http://127.0.0.1:{free_port()}")
