"""How much of a product one customer may have, on a real database and through two replicas."""

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from catalog import manage_products, prove_stock, reserve_stock
from catalog.tests.calls import LAPTOP, create
from catalog.tests.factories import (
    a_product,
    an_order,
    at_once,
    deltas_of,
    release,
    require_explained_stock,
    reserve,
    rows,
    stock_of,
)
from chassis.database.transactions import Database
from contracts.reservations import LimitReached, Result
from harness.engine import MySQLServer
from harness.schemas import Schema
from harness.size import at_size
from harness.statements import statements


@pytest.fixture
def replica(catalog_schema: Schema) -> Iterator[Database]:
    """A second one, beside `database`."""
    replica = Database(catalog_schema.url, connections=8)
    yield replica
    replica.close()


def set_limit(database: Database, product_id: int, limit: int | None) -> None:
    """As PUT does, with all else as it is."""
    [(name, price, stock)] = rows(database, "SELECT name, price, stock FROM products WHERE id = :id", id=product_id)
    database.transact(manage_products.replace, product_id, None, name, price, stock, limit)


def counted(database: Database) -> dict[tuple[int, int, str], int]:
    """Units by product, epoch and customer; those that came to nothing are left out."""
    found = rows(database, "SELECT product_id, limit_epoch, customer, held FROM customer_purchases WHERE held <> 0")
    return {(product_id, epoch, customer.decode()): held for product_id, epoch, customer, held in found}


def buy(database: Database, customer: str, product_id: int, order_id: int, quantity: int = 1) -> Result:
    [outcome] = reserve(database, an_order(order_id, (product_id, quantity), customer=customer))
    return outcome.result


def differences(database: Database) -> list[str]:
    proof = database.isolated("REPEATABLE READ").transact(prove_stock.prove)
    return [difference.about for difference in proof.differences]


def test_fifty_orders_at_once_of_one_customer_get_no_more_than_he_may_have(
    database: Database, replica: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for round_ in range(at_size(4, 100)):
        flash = a_product(database, stock=100, max_per_customer=2)
        wanted = [
            partial(buy, (database, replica)[n % 2], "ann", flash, round_ * 100 + n + 1, 1 + n % 2) for n in range(50)
        ]

        results = at_once(wanted)

        assert set(results) == {Result.HELD, Result.LIMIT_REACHED}
        assert (stock_of(database, flash), counted(database)[flash, 0, "ann"]) == (98, 2)
    assert "1213" not in caplog.text, "a deadlock was retried"


def test_with_cancels_in_between_the_count_stays_exact(database: Database, replica: Database) -> None:
    flash, other = (a_product(database, stock=1000, max_per_customer=3) for _ in range(2))

    def trade(number: int) -> None:
        """One order after the other, most of them given back, twice as a lost answer has it."""
        mine = (database, replica)[number % 2]
        for order_id in range(number * 100 + 1, number * 100 + at_size(13, 100)):
            lines = [(flash, 1), (other, 1)][:: 1 if number % 3 else -1]
            reserve(mine, an_order(order_id, *lines, customer=("ann", "bob")[order_id % 2]))
            if order_id % 5:
                at_once([partial(release, mine, order_id)] * 2)

    at_once([partial(trade, number) for number in range(6)])
    for who in (0, 1):  # what is left for each is to be had
        orders = (an_order(900 + who + 2 * n, (flash, 1), (other, 1), customer=("ann", "bob")[who]) for n in range(4))
        assert reserve(database, *orders)[-1].result is Result.LIMIT_REACHED

    held = rows(database, "SELECT request FROM reservations WHERE state = 'held'")
    holders = Counter(json.loads(request)["customer"] for (request,) in held)
    assert holders == {"ann": 3, "bob": 3}
    assert counted(database) == {(id_, 0, who): units for id_ in (flash, other) for who, units in holders.items()}
    assert stock_of(database, flash) == 1000 - holders.total()
    require_explained_stock(database)
    assert differences(database) == []


def test_each_customer_gets_what_one_may_have(database: Database) -> None:
    flash = a_product(database, stock=100, max_per_customer=2)
    customers = ["ann", "Ann", "ann ", "änn", "a" * 128, "' OR 1=1--", '"\\', "🧀"]

    results = [[buy(database, who, flash, 10 * n + m) for m in (1, 2, 3)] for n, who in enumerate(customers)]

    assert results == [[Result.HELD, Result.HELD, Result.LIMIT_REACHED]] * len(customers)
    assert counted(database) == {(flash, 0, who): 2 for who in customers}


def test_a_refusal_takes_nothing_and_says_what_the_customer_has(database: Database) -> None:
    flash, mouse = a_product(database, max_per_customer=2), a_product(database)
    buy(database, "ann", flash, 1)

    [refused] = reserve(database, an_order(2, (mouse, 3), (flash, 2), customer="ann"))

    assert refused.result is Result.LIMIT_REACHED
    assert refused.limits == [LimitReached(flash, max_per_customer=2, has=1, requested=2)]
    assert (deltas_of(database, mouse), counted(database)) == ([10], {(flash, 0, "ann"): 1})


def test_a_repeat_counts_once(database: Database) -> None:
    flash = a_product(database, max_per_customer=2)
    order = an_order(1, (flash, 1), customer="ann")

    first = reserve(database, order, order)
    again = reserve(database, order)

    assert first == again * 2
    assert counted(database) == {(flash, 0, "ann"): 1}


def test_a_repeat_for_another_customer_is_an_alarm(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    flash = a_product(database, max_per_customer=2)
    buy(database, "ann", flash, 1)

    assert buy(database, "bob", flash, 1) is Result.MISMATCH
    assert counted(database) == {(flash, 0, "ann"): 1}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_nobody_in_particular_buys_is_not_counted(database: Database) -> None:
    flash = a_product(database, max_per_customer=1)

    results = [buy(database, "", flash, n) for n in (1, 2)]
    release(database, 1)

    assert results == [Result.HELD, Result.HELD]
    assert rows(database, "SELECT * FROM customer_purchases") == []


def test_a_limit_counts_what_is_ordered_from_then_on_and_gives_back_only_that(database: Database) -> None:
    flash = a_product(database, stock=20)
    buy(database, "ann", flash, 1, quantity=5)
    set_limit(database, flash, 2)
    buy(database, "ann", flash, 2, quantity=2)

    release(database, 1)

    assert counted(database) == {(flash, 1, "ann"): 2}
    assert buy(database, "ann", flash, 3) is Result.LIMIT_REACHED
    release(database, 2)
    assert buy(database, "ann", flash, 4, quantity=2) is Result.HELD


def test_another_limit_goes_on_with_what_was_counted(database: Database) -> None:
    flash = a_product(database, max_per_customer=3)
    buy(database, "ann", flash, 1, quantity=3)

    set_limit(database, flash, 2)
    lowered = buy(database, "ann", flash, 2)
    set_limit(database, flash, 4)

    assert lowered is Result.LIMIT_REACHED
    assert buy(database, "ann", flash, 3) is Result.HELD
    assert counted(database) == {(flash, 0, "ann"): 4}


def test_a_limit_taken_off_and_set_again_begins_to_count_anew(database: Database) -> None:
    flash = a_product(database, max_per_customer=1)
    buy(database, "ann", flash, 1)
    set_limit(database, flash, None)
    buy(database, "ann", flash, 2)
    set_limit(database, flash, 1)
    buy(database, "ann", flash, 3)

    release(database, 1, 2)

    assert buy(database, "ann", flash, 4) is Result.LIMIT_REACHED
    assert counted(database) == {(flash, 1, "ann"): 1}
    assert differences(database) == []


def test_any_day_in_the_shop_counts_what_is_held_and_no_more_than_may_be(database: Database) -> None:
    """Against a model: one product, and what happens to it in any order."""
    dice, limit, epoch = random.Random(11), 2, 0
    flash = a_product(database, stock=10_000, max_per_customer=limit)
    held: dict[int, tuple[int, str, int]] = {}  # by order: epoch, customer, units
    most: int | None = limit
    for order_id in range(1, at_size(150, 2000)):
        kind = dice.choice(["buy", "buy", "buy", "release", "limit"])
        has = Counter[tuple[int, str]]()
        for its_epoch, customer, units in held.values():
            has[its_epoch, customer] += units
        if kind == "buy":
            customer, units = dice.choice(["ann", "bob", "cid"]), dice.randint(1, 2)
            result = buy(database, customer, flash, order_id, units)
            may = most is None or has[epoch, customer] + units <= most
            assert result is (Result.HELD if may else Result.LIMIT_REACHED)
            if may and most is not None:
                held[order_id] = (epoch, customer, units)
        elif kind == "release" and held:
            gone = dice.choice(list(held))
            release(database, gone)
            del held[gone]
        elif kind == "limit":
            before, most = most, dice.choice([None, 2, 4])
            epoch += before is None and most is not None
            set_limit(database, flash, most)
    totals = Counter[tuple[int, int, str]]()
    for its_epoch, customer, units in held.values():
        totals[flash, its_epoch, customer] += units
    assert counted(database) == dict(totals)
    assert differences(database) == []


def test_stock_that_comes_back_to_a_deleted_product_is_counted_back_too(database: Database) -> None:
    flash = a_product(database, max_per_customer=2)
    buy(database, "ann", flash, 1)
    database.transact(manage_products.delete, flash)

    release(database, 1)

    assert counted(database) == {}


def test_counting_costs_two_statements_however_many_order(database: Database) -> None:
    flash, other = (a_product(database, stock=500, max_per_customer=5) for _ in range(2))
    one, *many = [an_order(n, (flash, 1), (other, 1), customer=f"customer {n % 20}") for n in range(1, 60)]

    cost = [statements(database, reserve_stock.reserve, some) for some in ([one], many)]
    released = [statements(database, reserve_stock.release, ids) for ids in ([1], list(range(2, 60)))]

    assert cost == [4 + 2] * 2
    assert released[0] == released[1]


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE catalog.customer_purchases SET held = held + 1 WHERE customer = 'ann'",
        "DELETE FROM catalog.customer_purchases WHERE customer = 'ann'",
        "UPDATE catalog.reservations SET outcome = JSON_REMOVE(outcome, '$.lines[0].limit_epoch') WHERE order_id = 1",
    ],
)
def test_the_stock_proof_names_what_is_counted_wrongly(
    database: Database, mysql_server: MySQLServer, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which only root can make so: the service may not."""
    flash, other = (a_product(database, max_per_customer=5) for _ in range(2))
    for n, customer in enumerate(["ann", "bob", "cid"], 1):
        buy(database, customer, flash, n, n)
        buy(database, customer, other, 10 + n)
    release(database, 2)
    honest = differences(database)
    monkeypatch.setattr(prove_stock, "AT_ONCE", 2)
    in_pieces = differences(database)
    mysql_server.execute(wrong)

    assert honest == in_pieces == []
    assert f"product {flash}" in differences(database)


def test_a_limit_is_shown_only_where_there_is_one(client: httpx.Client) -> None:
    with_limit = client.post("/products", json=LAPTOP | {"max_per_customer": 2})
    without = client.post("/products", json=LAPTOP | {"max_per_customer": None})
    ids = with_limit.json()["id"], without.json()["id"]

    assert with_limit.json() == {"id": ids[0], **LAPTOP, "max_per_customer": 2}
    assert without.json() == {"id": ids[1], **LAPTOP}
    assert client.get("/products").json() == [with_limit.json(), without.json()]
    assert [client.get(f"/products/{id_}").json() for id_ in ids] == [with_limit.json(), without.json()]


def test_a_replacement_sets_the_limit_or_takes_it_off(client: httpx.Client) -> None:
    product = create(client)

    limited = client.put(f"/products/{product}", json=LAPTOP | {"max_per_customer": 3})
    free = client.put(f"/products/{product}", json=LAPTOP)

    assert limited.json() == {"id": product, **LAPTOP, "max_per_customer": 3}
    assert free.json() == client.get(f"/products/{product}").json() == {"id": product, **LAPTOP}


def test_the_answer_kept_for_a_repeat_has_its_limit(client: httpx.Client) -> None:
    send: Callable[[], Any] = partial(
        client.post, "/products", json=LAPTOP | {"max_per_customer": 2}, headers={"Idempotency-Key": "a key"}
    )

    assert send().text == send().text


@pytest.mark.parametrize("limit", [0, -1, 1.0, 1.5, "2", True, [], 10**9 + 1, 10**400])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_limit_that_makes_no_sense_is_refused(client: httpx.Client, method: str, limit: object) -> None:
    path = f"/products/{create(client)}" if method == "PUT" else "/products"

    refused = client.request(method, path, json=LAPTOP | {"max_per_customer": limit})

    assert refused.status_code == 422
    assert client.get("/products").json() == ([{"id": 1, **LAPTOP}] if method == "PUT" else [])
