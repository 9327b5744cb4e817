"""The stock proof finds what is wrong, and nothing else."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, event, text

from catalog import manage_products, prove_stock
from catalog.tests.factories import a_product, an_order, at_once, release, reserve
from chassis.database.transactions import Database
from contracts.reservations import StockProof
from harness.engine import MySQLServer


def prove(database: Database) -> StockProof:
    return database.isolated("REPEATABLE READ").transact(prove_stock.prove)


def a_day_in_the_shop(database: Database) -> None:
    laptop, mouse = a_product(database, stock=5), a_product(database, stock=5)
    reserve(database, an_order(1, (laptop, 2), (mouse, 1)), an_order(2, (laptop, 3)), an_order(3, (laptop, 1)))
    release(database, 2)
    database.transact(manage_products.adjust, mouse, 7, "delivery")
    database.transact(manage_products.delete, mouse)


def test_an_honest_stock_is_proved(database: Database) -> None:
    a_day_in_the_shop(database)

    assert prove(database) == StockProof(products=2, differences=[])


def test_many_small_pieces_make_the_same_proof(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    a_day_in_the_shop(database)
    a_product(database)
    database.transact(lambda connection: connection.execute(text("UPDATE products SET stock = 9 WHERE id = 2")).close())
    whole = prove(database)

    monkeypatch.setattr(prove_stock, "AT_ONCE", 1)

    assert prove(database) == whole
    assert [difference.about for difference in whole.differences] == ["product 2"]


def test_what_changes_while_pieces_are_read_raises_no_false_alarm(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = a_product(database, stock=50)
    orders = count(1)
    pieces = prove_stock.pieces

    def with_trade_between(*arguments: Any) -> Iterator[Any]:
        for piece in pieces(*arguments):
            yield piece
            reserve(database, an_order(next(orders), (laptop, 1)))

    monkeypatch.setattr(prove_stock, "pieces", with_trade_between)

    assert prove(database).differences == []
    assert next(orders) > 2, "nothing was sold meanwhile"


def test_ids_far_apart_are_proved_like_others(database: Database) -> None:
    laptop = a_product(database)
    reserve(database, *(an_order(n, (laptop, 1)) for n in (1, 2**62, 2**63 - 1)))

    assert prove(database) == StockProof(products=1, differences=[])


def test_no_statement_of_a_proof_reads_more_than_a_piece(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = a_product(database, stock=1000)
    for n in range(40):
        a_product(database)
        reserve(database, an_order(1 + n * 3, (laptop, 1)))
    monkeypatch.setattr(prove_stock, "AT_ONCE", 5)
    counts: list[int] = []

    def counted(connection: Connection) -> StockProof:
        @event.listens_for(connection, "before_cursor_execute")
        @event.listens_for(connection, "after_cursor_execute")
        def count_rows(*_: Any) -> None:
            counts.append(_rows_read(connection))

        return prove_stock.prove(connection)

    assert database.isolated("REPEATABLE READ").transact(counted).differences == []
    of_a_statement = [after - before for before, after in zip(counts[::2], counts[1::2], strict=True)]
    assert 0 < max(of_a_statement) <= 4 * 5  # a piece, what unfolds from it, and what is grouped of it


def _rows_read(connection: Connection) -> int:
    """So far, by the server's own count, in tables of ours and in those it makes on the way."""
    cursor = connection.connection.cursor()  # past the events, which call this
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%next'")
    return sum(int(row[1]) for row in cursor.fetchall())


def test_an_empty_shop_is_proved(database: Database) -> None:
    assert prove(database) == StockProof(products=0, differences=[])


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE catalog.products SET stock = stock - 1 WHERE id = 1",
        "UPDATE catalog.stock_movements SET delta = delta + 1 WHERE product_id = 1 AND kind = 'release'",
        "DELETE FROM catalog.stock_movements WHERE product_id = 1 AND kind = 'initial'",
        "DELETE FROM catalog.reservations WHERE order_id = 1",
        "UPDATE catalog.reservations SET state = 'released' WHERE order_id = 1",
        "UPDATE catalog.reservations SET state = 'held' WHERE order_id = 2",
    ],
)
def test_a_planted_difference_is_named(database: Database, mysql_server: MySQLServer, wrong: str) -> None:
    a_day_in_the_shop(database)
    mysql_server.execute(wrong)

    found = prove(database).differences

    assert "product 1" in [difference.about for difference in found]


def test_there_is_no_false_alarm_while_orders_run(database: Database) -> None:
    ids = [a_product(database, stock=100) for _ in range(3)]

    def trade(first: int) -> list[StockProof]:
        for n in range(first, first + 15):
            reserve(database, an_order(n, *((product, 1) for product in ids)))
            release(database, n - 1)
        return [prove(database)]

    def watch() -> list[StockProof]:
        return [prove(database) for _ in range(30)]

    proofs = at_once([lambda: trade(1), lambda: trade(101), watch])

    assert [proof.differences for some in proofs for proof in some if proof.differences] == []


def test_ordering_asks_for_the_proof_over_http(ordering: httpx.Client, database: Database) -> None:
    a_day_in_the_shop(database)

    assert ordering.get("/stock-proof").json() == {"products": 2, "differences": []}


def test_a_page_of_holders_steps_over_no_more_than_it_may_hold(database: Database) -> None:
    laptop = a_product(database, stock=2)
    reserve(database, *(an_order(n, (laptop, 1)) for n in range(1, 21)))  # 18 of them are refused
    release(database, 1)

    pages, through = [], 0
    while (page := database.transact(prove_stock.holders, through, 4)).through is not None:
        pages.append([one.order_id for one in page.reservations])
        through = page.through

    assert pages == [[2], [], [], [], []]


def test_what_is_held_is_told_by_order_and_by_page(ordering: httpx.Client, database: Database) -> None:
    a_day_in_the_shop(database)
    held = {"order_id": 1, "lines": [{"product_id": 1, "quantity": 2}, {"product_id": 2, "quantity": 1}]}

    by_order = ordering.post("/reservations/held", json={"order_ids": [2, 1]}).json()
    page = ordering.get("/reservations", params={"limit": 1}).json()
    after = ordering.get("/reservations", params={"after": 1}).json()

    assert by_order == {"reservations": [{"order_id": 2, "lines": []}, held]}
    assert page == {"reservations": [held], "through": 1}
    assert after == {"reservations": [], "through": 3}
