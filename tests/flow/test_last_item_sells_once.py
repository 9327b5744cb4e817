"""No oversell and no undersell, whoever comes at once and through whichever replica."""

from collections.abc import Sequence

import httpx

from flow.buyers import all_at_once, one_of, statuses
from harness.size import at_size
from harness.statements import deadlocks
from harness.system import System

ROUNDS = 10  # 64 orders come in a few batches, and these meet only if they go to different replicas of catalog


def details(answers: Sequence[httpx.Response], status: int) -> set[str]:
    return {answer.json()["detail"] for answer in answers if answer.status_code == status}


def test_of_five_buyers_of_the_last_item_always_one_gets_it(system: System) -> None:
    for _ in range(20):
        product_id = system.product(stock=1)

        answers = all_at_once(system, [one_of(product_id)] * 5)

        assert statuses(answers) == {201: 1, 400: 4}
        assert details(answers, 400) == {"Insufficient stock"}
        assert system.stock(product_id) == 0


def test_of_fifty_buyers_of_ten_units_exactly_ten_get_one(system: System) -> None:
    product_id = system.product(stock=10)

    answers = all_at_once(system, [one_of(product_id)] * 50)

    assert statuses(answers) == {201: 10, 400: 40}
    assert details(answers, 400) == {"Insufficient stock"}
    assert system.stock(product_id) == 0


def test_of_orders_of_several_units_as_many_are_taken_as_fit(system: System) -> None:
    product_id = system.product(stock=10)

    answers = all_at_once(system, [one_of(product_id, 3)] * 8)

    assert statuses(answers) == {201: 3, 400: 5}
    assert system.stock(product_id) == 1


def test_orders_naming_the_same_products_in_opposite_order_never_meet_a_deadlock(system: System) -> None:
    first, second = system.product(stock=1000), system.product(stock=1000)
    forwards, backwards = [one_of(first), one_of(second)], [one_of(second), one_of(first)]
    before = deadlocks(system.mysql)

    for _ in range(ROUNDS):
        answers = all_at_once(system, [{"items": forwards if n % 2 else backwards} for n in range(64)])
        assert statuses(answers) == {201: 64}

    assert [system.stock(first), system.stock(second)] == [1000 - ROUNDS * 64] * 2
    assert deadlocks(system.mysql) == before


def test_an_order_gets_all_its_items_or_none(system: System) -> None:
    plenty, scarce = system.product(stock=1000), system.product(stock=5)

    answers = all_at_once(system, [{"items": [one_of(plenty), one_of(scarce)]}] * 20)

    assert statuses(answers) == {201: 5, 400: 15}
    assert [system.stock(plenty), system.stock(scarce)] == [995, 0]


def test_one_key_sent_by_many_at_once_is_one_order(system: System) -> None:
    rounds = at_size(10, 100)
    product_id = system.product(stock=rounds)

    for n in range(rounds):
        answers = all_at_once(system, [one_of(product_id)] * 50, key=f"round {n} of one key")

        assert len({answer.content for answer in answers}) == 1
        assert statuses(answers) == {201: 50}
        assert system.stock(product_id) == rounds - 1 - n
