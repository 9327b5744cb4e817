"""Reserving and releasing on a real database."""

import json
import logging

import pytest
from sqlalchemy import Connection, text

from catalog import manage_products, reserve_stock
from catalog.model import MAX_STOCK
from catalog.tests.factories import (
    a_product,
    an_order,
    deltas_of,
    release,
    require_explained_stock,
    reserve,
    states_of_reservations,
    stock_of,
)
from chassis.database.transactions import Database
from chassis.problems import Conflict
from contracts.reservations import Outcome, Result
from harness.statements import statements


def test_a_reservation_takes_the_stock_and_says_why(database: Database) -> None:
    laptop = a_product(database, stock=5, price="999.99")

    [outcome] = reserve(database, an_order(1, (laptop, 2)))

    assert outcome.result is Result.HELD
    assert stock_of(database, laptop) == 3
    assert deltas_of(database, laptop) == [5, -2]


def test_a_refused_reservation_takes_nothing_and_is_recorded(database: Database) -> None:
    laptop, mouse = a_product(database, stock=5), a_product(database, stock=1)

    [outcome] = reserve(database, an_order(1, (laptop, 2), (mouse, 2)))

    assert outcome.result is Result.INSUFFICIENT_STOCK
    assert (stock_of(database, laptop), stock_of(database, mouse)) == (5, 1)
    assert states_of_reservations(database) == {1: "refused"}


def test_a_repeat_gets_the_recorded_outcome_and_no_more_stock(database: Database) -> None:
    laptop = a_product(database, stock=5)
    first = reserve(database, an_order(1, (laptop, 2)))

    again = reserve(database, an_order(1, (laptop, 2)))

    assert again == first
    assert stock_of(database, laptop) == 3


def test_a_repeat_is_answered_to_the_letter(database: Database) -> None:
    order = an_order(1, (a_product(database, stock=5), 2), expected_total="20")

    first = database.transact(reserve_stock.reserve, [order])
    again = database.transact(reserve_stock.reserve, [order])

    assert again == first
    assert again != [None]


def test_a_repeat_is_compared_by_what_was_asked_not_by_how_it_was_written(database: Database) -> None:
    laptop = a_product(database, stock=5)
    first = reserve(database, an_order(1, (laptop, 2), expected_total="20"))
    lines = [{"quantity": 2, "product_id": laptop}]
    newer = json.dumps({"urgent": True, "expected_total": "20.00", "lines": lines, "order_id": 1}, indent=1)
    rewritten = text("UPDATE reservations SET request = :request").bindparams(request=newer)
    database.transact(lambda connection: connection.execute(rewritten).close())

    assert reserve(database, an_order(1, (laptop, 2), expected_total="20")) == first


def test_a_repeat_waits_for_no_lock(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    laptop = a_product(database, stock=5)
    first = reserve(database, an_order(1, (laptop, 2)))

    def repeat_while_it_is_released(connection: Connection) -> list[Outcome]:
        reserve_stock.release(connection, [1])
        return reserve(database, an_order(1, (laptop, 2)))

    again = database.transact(repeat_while_it_is_released)

    assert again == first
    assert caplog.records == [], "a lock was waited for"


def test_a_repeat_gets_the_price_of_then(database: Database) -> None:
    laptop = a_product(database, stock=5, price="10.00")
    first = reserve(database, an_order(1, (laptop, 2)))
    database.transact(manage_products.delete, laptop)

    again = reserve(database, an_order(1, (laptop, 2)))

    assert again == first


def test_a_refusal_stands_although_there_is_stock_by_now(database: Database) -> None:
    laptop = a_product(database, stock=1)
    refused = reserve(database, an_order(1, (laptop, 2)))
    database.transact(manage_products.adjust, laptop, 10, "restock")

    again = reserve(database, an_order(1, (laptop, 2)))

    assert again == refused
    assert stock_of(database, laptop) == 11


def test_a_repeat_with_other_lines_is_an_alarm_and_no_stock(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    laptop = a_product(database, stock=5)
    reserve(database, an_order(1, (laptop, 2)))

    [outcome] = reserve(database, an_order(1, (laptop, 3)))

    assert outcome.result is Result.MISMATCH
    assert stock_of(database, laptop) == 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_one_order_twice_in_a_batch_is_decided_once_in_its_first_place(database: Database) -> None:
    laptop = a_product(database, stock=3)

    outcomes = reserve(
        database, an_order(1, (laptop, 2)), an_order(2, (laptop, 2)), an_order(1, (laptop, 2)), an_order(2, (laptop, 1))
    )

    assert [outcome.result for outcome in outcomes] == [
        Result.HELD,
        Result.INSUFFICIENT_STOCK,
        Result.HELD,
        Result.MISMATCH,
    ]
    assert outcomes[0] == outcomes[2]
    assert stock_of(database, laptop) == 1


def test_a_batch_may_mix_new_orders_and_repeats(database: Database) -> None:
    laptop = a_product(database, stock=3)
    [held] = reserve(database, an_order(5, (laptop, 1)))

    outcomes = reserve(database, an_order(4, (laptop, 2)), an_order(5, (laptop, 1)), an_order(6, (laptop, 1)))

    assert [outcome.order_id for outcome in outcomes] == [4, 5, 6]
    assert outcomes[1] == held
    assert outcomes[2].result is Result.INSUFFICIENT_STOCK
    assert deltas_of(database, laptop) == [3, -1, -2]


def test_released_stock_comes_back_once(database: Database) -> None:
    laptop, mouse = a_product(database, stock=5), a_product(database, stock=5)
    reserve(database, an_order(1, (mouse, 3), (laptop, 2)), an_order(2, (laptop, 1)))

    first = release(database, 1)
    again = release(database, 1, 1)

    assert first == again == [1]
    assert (stock_of(database, laptop), stock_of(database, mouse)) == (4, 5)
    assert deltas_of(database, laptop) == [5, -2, -1, 2]
    assert states_of_reservations(database) == {1: "released", 2: "held"}
    require_explained_stock(database)


def test_a_refused_order_holds_nothing_and_an_unknown_one_is_not_confirmed(database: Database) -> None:
    laptop = a_product(database, stock=1)
    reserve(database, an_order(1, (laptop, 2)))

    released = release(database, 1, 99)

    assert released == [1]
    assert deltas_of(database, laptop) == [1]


def test_stock_comes_back_to_a_deleted_product(database: Database) -> None:
    laptop = a_product(database, stock=5)
    reserve(database, an_order(1, (laptop, 2)))
    database.transact(manage_products.delete, laptop)

    release(database, 1)

    assert stock_of(database, laptop) == 5


def test_hundreds_of_orders_fit_in_one_transaction(database: Database) -> None:
    ids = [a_product(database, stock=1000) for _ in range(20)]
    wanted = [an_order(n, *((product, 1 + n % 3) for product in ids[n % 7 :: 3])) for n in range(1, 301)]

    outcomes = reserve(database, *wanted)

    assert {outcome.result for outcome in outcomes} == {Result.HELD}
    require_explained_stock(database)


def test_any_number_of_orders_costs_as_many_statements_as_one(database: Database) -> None:
    products = [a_product(database, stock=500) for _ in range(10)]
    one, *many = [an_order(n, (products[n % 10], 1), (products[n % 7], 1)) for n in range(1, 70) if n % 10 != n % 7]

    assert statements(database, reserve_stock.reserve, many) == statements(database, reserve_stock.reserve, [one]) == 4


def test_stock_that_comes_back_above_the_bound_of_what_may_be_set_does_no_harm(database: Database) -> None:
    laptop = a_product(database, stock=MAX_STOCK)
    reserve(database, an_order(1, (laptop, 5)))
    database.transact(manage_products.adjust, laptop, 5, "delivery")

    assert release(database, 1) == [1]

    assert stock_of(database, laptop) == MAX_STOCK + 5
    with pytest.raises(Conflict):
        database.transact(manage_products.adjust, laptop, 1, "delivery")
    database.transact(manage_products.adjust, laptop, -10, "sold elsewhere")
    assert stock_of(database, laptop) == MAX_STOCK - 5
    require_explained_stock(database)
