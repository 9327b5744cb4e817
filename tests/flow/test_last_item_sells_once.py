"""No oversell and no undersell, whoever comes at once and through whichever replica. The demo plays the simple cases."""

from collections import Counter
from collections.abc import Sequence

import httpx

from harness.size import at_size
from harness.statements import deadlocks
from harness.system import System
from local.demo import races
from local.demo.shop import Shop, order

ROUNDS = 10  # 64 orders come in a few batches, and these meet only if they go to different replicas of catalog


def statuses(answers: Sequence[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_of_orders_of_several_units_as_many_are_taken_as_fit(shop: Shop) -> None:
    product_id = await shop.product("Scarce", 9.99, stock=10)

    answers = await shop.together([order((product_id, 3)) for _ in range(8)])

    assert statuses(answers) == {201: 3, 400: 5}
    assert await shop.stock(product_id) == 1


async def test_orders_naming_the_same_products_in_opposite_order_never_meet_a_deadlock(
    system: System, shop: Shop
) -> None:
    before = deadlocks(system.mysql)

    for _ in range(ROUNDS):
        await races.opposite_orders(shop)

    assert deadlocks(system.mysql) == before


async def test_an_order_gets_all_its_items_or_none(shop: Shop) -> None:
    plenty, scarce = await shop.product("Plenty", 9.99, stock=1000), await shop.product("Scarce", 9.99, stock=5)

    answers = await shop.together([order((plenty, 1), (scarce, 1)) for _ in range(20)])

    assert statuses(answers) == {201: 5, 400: 15}
    assert [await shop.stock(plenty), await shop.stock(scarce)] == [995, 0]


async def test_one_key_sent_by_many_at_once_is_one_order(shop: Shop) -> None:
    rounds = at_size(10, 100)
    product_id = await shop.product("One each", 9.99, stock=rounds)

    for n in range(rounds):
        answers = await shop.together([order((product_id, 1), key=f"round {n} of one key")] * 50)

        assert len({answer.content for answer in answers}) == 1
        assert statuses(answers) == {201: 50}
        assert await shop.stock(product_id) == rounds - 1 - n
