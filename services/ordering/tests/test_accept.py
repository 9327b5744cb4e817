"""Accepting: the key and the order are one row, and whoever comes with the key joins."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import Connection, text

from chassis.database.transactions import Database
from chassis.problems import Unprocessable
from contracts.reservations import Line, Reservation
from harness.statements import statements
from harness.threads import at_once
from ordering.accept_orders import NewOrder, PerhapsAccepted, accept
from ordering.model import State
from ordering.orders import Order
from ordering.place_orders import Stages
from ordering.tests.factories import a_key_held, a_new_order, rows, the_order


def accept_all(database: Database, *wanted: NewOrder) -> list[Order | Unprocessable]:
    return database.transact(accept, wanted)


def ids(orders: list[Order | Unprocessable]) -> list[int]:
    return [order.id for order in orders if isinstance(order, Order)]


def test_a_new_order_is_pending_with_its_key_in_one_row(database: Database) -> None:
    [order] = accept_all(database, a_new_order("a key", (1, 2), (5, 1), expected_total="31.50"))

    assert isinstance(order, Order)
    assert (order.state, order.revision, order.request_key) == (State.PENDING, 1, b"a key")
    assert [(item.product_id, item.quantity, item.unit_price) for item in order.items] == [(1, 2, None), (5, 1, None)]
    assert str(order.expected_total) == "31.50"
    assert rows(database, "SELECT id, request_key FROM orders") == [(order.id, b"a key")]


def test_what_catalog_is_asked_for_an_order_names_its_customer(database: Database) -> None:
    new = replace(a_new_order("a key", (1, 2), expected_total="21"), customer="Zoë")

    [accepted] = accept_all(database, new)

    assert isinstance(accepted, Order)
    expected = Reservation(accepted.id, [Line(1, 2)], Decimal(21), customer="Zoë")
    assert accepted.reservation() == the_order(database, accepted.id).reservation() == expected


def test_a_key_seen_before_joins_its_order(database: Database) -> None:
    first = accept_all(database, a_new_order("a key"))

    again = accept_all(database, a_new_order("a key"))

    assert again == first
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(1,)]


def test_a_batch_gives_each_its_own_order_whatever_order_the_rows_have(database: Database) -> None:
    wanted = [a_new_order(f"key {n % 7} {n}", (1, 1 + n)) for n in range(60, 0, -1)]

    accepted = accept_all(database, *wanted)

    assert [order.request_key for order in accepted if isinstance(order, Order)] == [new.key.encode() for new in wanted]
    assert [order.items[0].quantity for order in accepted if isinstance(order, Order)] == list(range(61, 1, -1))


def test_a_key_twice_in_a_batch_makes_one_order(database: Database) -> None:
    accepted = accept_all(database, a_new_order("a"), a_new_order("b"), a_new_order("a"))

    first, other, again = ids(accepted)
    assert first == again != other
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(2,)]


def test_another_body_under_a_key_is_refused_and_holds_up_no_other(database: Database) -> None:
    accept_all(database, a_new_order("a", (1, 2)))

    refused, accepted = accept_all(database, a_new_order("a", (1, 3)), a_new_order("b", (1, 3)))

    assert isinstance(refused, Unprocessable)
    assert isinstance(accepted, Order)
    assert rows(database, "SELECT request_key FROM orders ORDER BY id") == [(b"a",), (b"b",)]


def test_another_body_in_the_same_batch_is_refused_alone(database: Database) -> None:
    first, other, again = accept_all(
        database, a_new_order("a", (1, 2)), a_new_order("a", (1, 3)), a_new_order("a", (1, 2))
    )

    assert isinstance(first, Order)
    assert isinstance(other, Unprocessable)
    assert again == first


@pytest.mark.parametrize(
    "keys", [("Ab1", "aB1"), ("key", "key "), ("key", " key"), ("a" * 255, "a" * 254), ("%", "_"), ("'", "\\'")]
)
def test_keys_are_compared_byte_by_byte(database: Database, keys: tuple[str, str]) -> None:
    one, other = accept_all(database, *(a_new_order(key) for key in keys))
    [again] = accept_all(database, a_new_order(keys[0]))

    assert isinstance(one, Order)
    assert isinstance(other, Order)
    assert one.id != other.id
    assert again == one


def test_however_many_others_use_its_key_an_order_costs_the_database_no_more(database: Database) -> None:
    """Clients that count begin at 1."""
    accept_all(database, *(a_new_order("1", customer=f"customer {n}") for n in range(1000)))

    assert database.transact(index_reads, a_new_order("1", customer="alice")) < 50


def index_reads(connection: Connection, new: NewOrder) -> int:
    """While it is accepted."""
    status = text("SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_key', 'Handler_read_next')")
    before = {name: int(count) for name, count in connection.execute(status)}
    accept(connection, [new])
    return sum(int(count) - before[name] for name, count in connection.execute(status))


def test_two_replicas_with_the_same_key_at_once_accept_one_order(database: Database) -> None:
    for n in range(20):
        one, other = at_once([partial(accept_all, database, a_new_order(f"round {n}"))] * 2)
        assert one == other

    assert rows(database, "SELECT COUNT(*) FROM orders") == [(20,)]


def test_two_replicas_with_the_same_keys_in_opposite_orders_both_come_through(database: Database) -> None:
    wanted = [a_new_order(f"key {n}") for n in range(100)]

    one, other = at_once([partial(accept_all, database, *wanted), partial(accept_all, database, *wanted[::-1])])

    assert ids(one) == ids(other)[::-1]
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(100,)]


def test_a_crash_before_the_commit_leaves_neither_key_nor_order(database: Database) -> None:
    def crash(connection: Connection) -> None:
        accept(connection, [a_new_order("a key")])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.transact(crash)

    assert rows(database, "SELECT * FROM orders") == []


def test_a_commit_whose_answer_was_lost_is_run_again_without_a_second_order(database: Database) -> None:
    wanted = [a_new_order("a", (1, 2)), a_new_order("b", (2, 1))]

    first = accept_all(database, *wanted)
    again = accept_all(database, *wanted)

    assert again == first
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(2,)]


def test_any_number_of_orders_costs_as_many_statements_as_one(database: Database) -> None:
    one, many = [a_new_order()], [a_new_order() for _ in range(50)]

    assert statements(database, accept, many) == statements(database, accept, one)


async def test_a_key_that_somebody_holds_locked_keeps_no_other_order_from_being_accepted(
    database: Database, placing: Stages
) -> None:
    with a_key_held(database, "held"):
        first = await accepted(placing, "held", "free")
        waits = lock_waits(database)
        again = await accepted(placing, "held", "another")
        waited = lock_waits(database) - waits

    assert [type(order) for order in (*first, *again)] == [PerhapsAccepted, Order] * 2
    assert waited == 0, "it is known to be held, so the second batch leaves it out"
    assert {key for (key,) in rows(database, "SELECT request_key FROM orders")} == {b"free", b"another"}


async def accepted(placing: Stages, *keys: str) -> list[Order | BaseException]:
    return await asyncio.gather(*(placing.accept(a_new_order(key)) for key in keys), return_exceptions=True)


def lock_waits(database: Database) -> int:
    [(_, count)] = rows(database, "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'")
    return int(count)
