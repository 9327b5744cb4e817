"""Many transactions at once, in real threads on a real database."""

import random
from collections.abc import Callable
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import CompoundSelect, Connection, Select, text

from catalog import manage_products, reserve_stock
from catalog.tests.factories import (
    a_product,
    an_order,
    at_once,
    deltas_of,
    release,
    require_explained_stock,
    reserve,
    stock_of,
)
from chassis.database.transactions import Database
from contracts.reservations import Outcome, Reservation, Result


def in_batches(database: Database, orders: list[Reservation], of: int) -> list[Outcome]:
    return [outcome for at in range(0, len(orders), of) for outcome in reserve(database, *orders[at : at + of])]


def test_the_last_units_are_sold_exactly_once(database: Database) -> None:
    laptop = a_product(database, stock=10)

    outcomes = at_once([partial(reserve, database, an_order(n, (laptop, 1))) for n in range(1, 51)])

    held = [outcome for [outcome] in outcomes if outcome.result is Result.HELD]
    assert len(held) == 10
    assert stock_of(database, laptop) == 0
    require_explained_stock(database)


def test_orders_of_two_products_in_opposite_orders_never_deadlock(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = a_product(database, stock=1000), a_product(database, stock=1000)
    meet = Barrier(2)

    def buy(orders: list[Reservation]) -> list[Outcome]:
        outcomes = []
        for order in orders:
            meet.wait()
            outcomes += reserve(database, order)
        return outcomes

    there = [an_order(n, (first, 1), (second, 1)) for n in range(1, 33)]
    back = [an_order(n, (second, 1), (first, 1)) for n in range(33, 65)]
    outcomes = at_once([partial(buy, there), partial(buy, back)])

    assert {outcome.result for thread in outcomes for outcome in thread} == {Result.HELD}
    assert (stock_of(database, first), stock_of(database, second)) == (1000 - 64, 1000 - 64)
    assert "1213" not in caplog.text, "a deadlock was retried: the locks were not taken in one order"


def test_two_twins_at_once_decide_once(database: Database) -> None:
    laptop = a_product(database, stock=1000)

    for n in range(1, 21):
        [one], [other] = at_once([partial(reserve, database, an_order(n, (laptop, 3)))] * 2)
        assert one == other

    assert stock_of(database, laptop) == 1000 - 20 * 3


def test_twins_with_other_lines_get_one_decision_and_one_alarm(database: Database) -> None:
    laptop, mouse = a_product(database, stock=100), a_product(database, stock=100)

    for n in range(1, 11):
        outcomes = at_once([partial(reserve, database, an_order(n, (product, 1))) for product in (laptop, mouse)])
        assert {outcome.result for [outcome] in outcomes} == {Result.HELD, Result.MISMATCH}

    assert stock_of(database, laptop) + stock_of(database, mouse) == 200 - 10


def test_a_release_sent_twice_at_once_returns_the_stock_once(database: Database) -> None:
    laptop = a_product(database, stock=100)
    reserve(database, *(an_order(n, (laptop, 2)) for n in range(1, 11)))

    for n in range(1, 11):
        at_once([partial(release, database, n)] * 2)

    assert stock_of(database, laptop) == 100
    assert sum(delta > 0 for delta in deltas_of(database, laptop)) == 1 + 10


def test_batches_of_overlapping_products_in_several_threads_conserve_stock(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(7)
    ids = [a_product(database, stock=60) for _ in range(6)]
    orders = [
        an_order(n, *((product, chance.randint(1, 3)) for product in chance.sample(ids, chance.randint(1, 4))))
        for n in range(1, 241)
    ]

    decided = at_once([partial(in_batches, database, orders[thread::4], 5) for thread in range(4)])

    outcomes = [outcome for batch in decided for outcome in batch]
    sold = dict.fromkeys(ids, 0)
    for outcome in outcomes:
        for line in outcome.lines:
            sold[line.product_id] += line.quantity
    assert {product: stock_of(database, product) for product in ids} == {product: 60 - sold[product] for product in ids}
    assert Result.INSUFFICIENT_STOCK in {outcome.result for outcome in outcomes}, "the stock never ran out"
    require_explained_stock(database)
    assert "1213" not in caplog.text


def test_reserving_releasing_and_restocking_at_once_leave_an_explained_stock(database: Database) -> None:
    laptop, mouse = a_product(database, stock=50), a_product(database, stock=50)
    reserve(database, *(an_order(n, (mouse, 1), (laptop, 1)) for n in range(1, 31)))
    buying: list[Callable[[], object]] = [
        partial(reserve, database, an_order(n, (laptop, 1), (mouse, 1))) for n in range(31, 51)
    ]
    returning: list[Callable[[], object]] = [partial(release, database, n) for n in range(1, 21)]
    restocking: list[Callable[[], object]] = [
        partial(database.transact, manage_products.adjust, laptop, 1, "restock")
    ] * 10

    at_once([*buying, *returning, *restocking])

    assert (stock_of(database, laptop), stock_of(database, mouse)) == (50 - 30 + 10, 50 - 30)
    require_explained_stock(database)


def test_a_lock_on_one_product_keeps_no_buyer_from_another(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    laptop, mouse, screen = (a_product(database) for _ in range(3))

    def buy_others_while_locked(connection: Connection) -> list[Outcome]:
        reserve_stock.lock(connection, [mouse])
        return reserve(database, an_order(1, (laptop, 1), (screen, 1)))

    [outcome] = database.transact(buy_others_while_locked)

    assert outcome.result is Result.HELD
    assert caplog.records == [], "no lock was waited for"


def test_a_lock_on_one_reservation_keeps_no_other_from_its_release(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    laptop, mouse = a_product(database, stock=50), a_product(database)
    others = [n for n in range(1, 31) if n != 2]
    reserve(database, an_order(2, (mouse, 1)), *(an_order(n, (laptop, 1)) for n in others))

    def release_others_while_locked(connection: Connection) -> list[int]:
        reserve_stock.release(connection, [2])
        return release(database, *others)

    released = database.transact(release_others_while_locked)

    assert released == others
    assert caplog.records == [], "no lock was waited for"


@pytest.mark.parametrize("products", [3, 2000])
def test_locking_and_writing_go_by_the_primary_key(database: Database, products: int) -> None:
    explain = "EXPLAIN FORMAT=TRADITIONAL "
    many = ", ".join(f"({n}, 'x', 1, 1)" for n in range(1, products + 1))

    def read(connection: Connection, statement: Select[str] | CompoundSelect[str]) -> tuple[str, str]:
        asked = statement.params(ids=[1, 3], orders=[1]).compile(
            dialect=connection.dialect, compile_kwargs={"literal_binds": True}
        )
        [found] = [row for row in connection.execute(text(explain + str(asked))) if row.table == "products"]
        return found.type, found.key

    def explained(connection: Connection) -> list[tuple[str, str]]:
        connection.execute(text(f"INSERT INTO products (id, name, price, stock) VALUES {many}"))
        _, writing = connection.execute(text(explain + reserve_stock.WRITE_STOCK.text), {"stocks": "[[1, 2]]"})
        locking = [read(connection, statement) for statement in (reserve_stock.LOCK, reserve_stock.LOOK)]
        return [*locking, (writing.type, writing.key)]

    access = database.transact(explained)

    assert access == [("range", "PRIMARY"), ("range", "PRIMARY"), ("eq_ref", "PRIMARY")]
