"""Ordering's client against catalog's real app, and against the stand-in that ordering's own tests use for it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count

import httpx
import pytest

from catalog import api
from catalog.settings import Settings
from catalog.tests import serving as real
from chassis.problems import Unavailable
from contracts.reservations import HeldLines, LimitReached, Line, PricedLine, Reservation, Result, Shortage
from harness.schemas import Schema
from local.processes import free_port
from ordering.catalog_client import CatalogClient, UnexpectedAnswer
from ordering.tests import catalog_stand_in
from ordering.tests.catalog_stand_in import PRICE

TOKEN = "the token"
order_ids = count(1)


@dataclass(frozen=True)
class Catalog:
    """Products 1 and 2 are there, 10 of each at PRICE; product 3 is not."""

    url: str

    def product(self, price: float, stock: int, max_per_customer: int | None = None) -> int:
        product = {"name": "Laptop", "price": price, "stock": stock, "max_per_customer": max_per_customer}
        answer = httpx.post(f"{self.url}/api/v1/products", json=product)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])


@pytest.fixture(params=["real", "stand-in"])
def catalog(request: pytest.FixtureRequest, catalog_schema: Schema) -> Iterator[Catalog]:
    if request.param == "stand-in":
        with catalog_stand_in.serving() as server, server.fresh() as stand_in:
            stand_in.stock = {1: 10, 2: 10}
            yield Catalog(server.url)
        return
    with real.serving(api.build(Settings(database_url=catalog_schema.url, ordering_tokens=(TOKEN,)))) as url:
        catalog = Catalog(url)
        catalog.product(float(PRICE), 10)
        catalog.product(float(PRICE), 10)
        yield catalog


@pytest.fixture
async def client(catalog: Catalog) -> AsyncIterator[CatalogClient]:
    client = CatalogClient(catalog.url, TOKEN, seconds=20)
    yield client
    await client.close()


real_only = pytest.mark.parametrize("catalog", ["real"], indirect=True)


def wish(*lines: tuple[int, int], expected_total: Decimal | None = None) -> Reservation:
    """A new order's, for these products and quantities."""
    wanted = [Line(product_id=product_id, quantity=quantity) for product_id, quantity in lines]
    return Reservation(order_id=next(order_ids), lines=wanted, expected_total=expected_total)


async def test_stock_is_held_at_exact_prices(client: CatalogClient) -> None:
    wanted = wish((1, 2), (2, 3))

    [outcome] = await client.reserve([wanted])

    assert outcome.order_id == wanted.order_id
    assert outcome.result is Result.HELD
    assert outcome.lines == [
        PricedLine(product_id=1, quantity=2, unit_price=PRICE),
        PricedLine(product_id=2, quantity=3, unit_price=PRICE),
    ]
    assert outcome.total == PRICE * 5
    assert outcome.decided_at is not None


async def test_outcomes_stand_in_the_order_asked_and_each_order_is_decided_alone(client: CatalogClient) -> None:
    wanted = [wish((1, 8)), wish((3, 1)), wish((1, 8)), wish((2, 1), expected_total=Decimal(1)), wish((1, 2))]

    outcomes = await client.reserve(wanted)

    assert [outcome.order_id for outcome in outcomes] == [one.order_id for one in wanted]
    assert [outcome.result for outcome in outcomes] == [
        Result.HELD,
        Result.PRODUCT_NOT_FOUND,
        Result.INSUFFICIENT_STOCK,
        Result.PRICE_CHANGED,
        Result.HELD,
    ]


async def test_a_refusal_says_why(client: CatalogClient) -> None:
    short, missing = await client.reserve([wish((1, 11), (2, 1)), wish((3, 1), (1, 1))])

    assert short.shortages == [Shortage(product_id=1, requested=11, available=10)]
    assert missing.missing == [3]


async def test_a_repeat_gets_the_first_answer_and_takes_nothing_more(client: CatalogClient) -> None:
    held, refused = wish((1, 10)), wish((1, 11))

    first = await client.reserve([held, refused])
    again = await client.reserve([held, refused])

    assert again == first
    assert await client.held([held.order_id, refused.order_id]) == [
        HeldLines(order_id=held.order_id, lines=held.lines),
        HeldLines(order_id=refused.order_id, lines=[]),
    ]


async def test_released_stock_comes_back_once(client: CatalogClient) -> None:
    held = wish((1, 10))
    await client.reserve([held])

    released = [await client.release([held.order_id]) for _ in range(2)]
    outcomes = await client.reserve([wish((1, 10)), wish((1, 1))])

    assert released == [[held.order_id]] * 2
    assert [outcome.result for outcome in outcomes] == [Result.HELD, Result.INSUFFICIENT_STOCK]


async def test_who_holds_stock_is_listed_page_by_page(client: CatalogClient) -> None:
    first, second = wish((1, 1)), wish((2, 2))
    await client.reserve([first, second])

    all_, rest = await client.holders(0), await client.holders(first.order_id)
    end = await client.holders(second.order_id)

    assert [one.order_id for one in all_.reservations] == [first.order_id, second.order_id]
    assert rest.reservations == [HeldLines(order_id=second.order_id, lines=second.lines)]
    assert (rest.through, end.reservations, end.through) == (second.order_id, [], None)


async def test_honest_books_are_proved(client: CatalogClient) -> None:
    await client.reserve([wish((1, 1))])

    proof = await client.stock_proof()

    assert (proof.products, proof.differences) == (2, [])
    await client.check()


@real_only
async def test_an_order_that_comes_back_with_other_lines_is_an_alarm_and_never_stock(client: CatalogClient) -> None:
    wanted = wish((1, 1))
    await client.reserve([wanted])

    [outcome] = await client.reserve([replace(wanted, lines=[Line(product_id=2, quantity=5)])])

    assert outcome.result is Result.MISMATCH
    assert await client.held([wanted.order_id]) == [HeldLines(order_id=wanted.order_id, lines=wanted.lines)]


@real_only
async def test_an_order_counts_for_its_customer_and_is_refused_above_the_limit(
    catalog: Catalog, client: CatalogClient
) -> None:
    product_id = catalog.product(1, 10, max_per_customer=2)
    wanted = [replace(wish((product_id, 2)), customer=customer) for customer in ("ann", "ann", "bob", "", "")]

    outcomes = await client.reserve(wanted)

    assert [outcome.result is Result.HELD for outcome in outcomes] == [True, False, True, True, True]
    assert outcomes[1].limits == [LimitReached(product_id, max_per_customer=2, has=2, requested=2)]
    assert outcomes[0].lines == [PricedLine(product_id, 2, Decimal(1))]


@real_only
async def test_an_order_that_catalog_never_heard_of_is_not_confirmed_as_released(client: CatalogClient) -> None:
    assert await client.release([next(order_ids)]) == []


@real_only
async def test_the_largest_numbers_cross_the_wire_exactly(catalog: Catalog, client: CatalogClient) -> None:
    product_id = catalog.product(9_999_999.99, 1_000_000_000)
    wanted = Reservation(order_id=2**63 - 1, lines=[Line(product_id=product_id, quantity=10_000)])

    [outcome] = await client.reserve([wanted])

    assert (outcome.order_id, outcome.total) == (2**63 - 1, Decimal("99999999900.00"))


@real_only
async def test_a_wrong_token_is_unexpected_not_a_refusal(catalog: Catalog) -> None:
    stranger = CatalogClient(catalog.url, "another token", seconds=20)

    with pytest.raises(UnexpectedAnswer):
        await stranger.reserve([wish((1, 1))])
    await stranger.close()


async def test_a_catalog_that_is_away_is_unavailable() -> None:
    client = CatalogClient(f"http://127.0.0.1:{free_port()}", TOKEN, seconds=1)

    with pytest.raises(Unavailable):
        await client.reserve([wish((1, 1))])
    await client.close()
