"""What an order costs the database in rows, counted by the server: what happens to every order has no row of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest

from catalog import reserve_stock
from contracts.reservations import OUTCOME
from faults.small_world import SmallWorld
from harness.engine import MySQLServer
from harness.schemas import Schema
from ordering.place_orders import Verdict, decide_pending

FEW, MANY = 10, 110
ORDER = ["dml_inserts", "handler_write", "dml_updates", "handler_update", "dml_deletes", "handler_delete"]
_keys = count(1)


@dataclass(frozen=True)
class Rows:
    inserts: int
    updates: int
    deletes: int

    @classmethod
    def so_far(cls, server: MySQLServer) -> "Rows":
        """MariaDB has no counters of InnoDB's own, and MySQL's handlers count temporary tables as well."""
        found = server.execute(
            "SELECT name, `count` FROM information_schema.innodb_metrics "
            "WHERE name IN ('dml_inserts', 'dml_updates', 'dml_deletes')"
        ) or server.execute(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')"
        )
        numbers = {str(name).lower(): int(str(number)) for name, number in found}
        inserts, updates, deletes = (numbers[name] for name in sorted(numbers, key=ORDER.index))
        return cls(inserts, updates, deletes)

    def __sub__(self, other: "Rows") -> "Rows":
        return Rows(self.inserts - other.inserts, self.updates - other.updates, self.deletes - other.deletes)


@pytest.fixture
def world(catalog_schema: Schema, ordering_schema: Schema, fulfilment_schema: Schema) -> Iterator[SmallWorld]:
    world = SmallWorld.of(catalog_schema, ordering_schema, fulfilment_schema)
    yield world
    world.close()


def place_and_fulfil(world: SmallWorld, product_id: int, number: int) -> None:
    orders = [world.accept(f"key {next(_keys)}", product_id, 1) for _ in range(number)]
    outcomes = world.catalog.transact(reserve_stock.reserve, [order.reservation() for order in orders])
    verdicts = [
        Verdict(order, OUTCOME.validate_json(told or b"")) for order, told in zip(orders, outcomes, strict=True)
    ]
    world.ordering.transact(decide_pending, verdicts)
    world.fulfil()


def test_an_order_costs_four_rows_and_three_changes_beside_what_its_batch_does(
    world: SmallWorld, mysql_server: MySQLServer
) -> None:
    rows_of = partial(Rows.so_far, mysql_server)
    product_id = world.product(stock=1_000)
    spent = []
    for number in (FEW, MANY):
        before = rows_of()
        place_and_fulfil(world, product_id, number)
        spent.append(rows_of() - before)

    more = spent[1] - spent[0]
    orders = MANY - FEW
    assert (more.inserts / orders, more.updates / orders, more.deletes / orders) == (4, 3, 0)
