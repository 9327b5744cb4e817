"""The checker is checked: an honest day passes, and every planted violation is named."""

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from redis import Redis

from faults import checker, promises, settling, snapshot
from faults.keeper import Death
from faults.ledger import Answer, Ledger, Placement, Wait, reachable
from faults.small_world import CUSTOMER, SmallWorld, an_honest_day
from faults.snapshot import Snapshot
from faults.whole_system import CHECKER, WholeSystem
from harness.engine import MySQLServer, RedisServer
from harness.schemas import Schema


class Day:
    def __init__(self, server: MySQLServer, world: SmallWorld) -> None:
        self.server = server
        self.ledger, self.effects = an_honest_day(world)

    def snapshot(self) -> Snapshot:
        with snapshot.reader(self.server.port, CHECKER) as connection:
            return snapshot.take(connection)

    def found(self) -> list[str]:
        return checker.at_the_end(self.snapshot(), self.ledger, self.effects)


@pytest.fixture
def day(
    mysql_server: MySQLServer, catalog_schema: Schema, ordering_schema: Schema, fulfilment_schema: Schema
) -> Iterator[Day]:
    mysql_server.execute(f"CREATE USER IF NOT EXISTS '{CHECKER}'@'%' IDENTIFIED BY '{CHECKER}'")
    for schema in (catalog_schema, ordering_schema, fulfilment_schema):
        mysql_server.execute(f"GRANT SELECT ON {schema.name}.* TO '{CHECKER}'@'%'")
    world = SmallWorld.of(catalog_schema, ordering_schema, fulfilment_schema)
    yield Day(mysql_server, world)
    world.close()


def test_an_honest_day_has_no_violation(day: Day) -> None:
    assert day.found() == []


PLANTED = {
    "stock that no movement explains": (
        "UPDATE catalog.products SET stock = stock - 1 WHERE id = 1",
        "product 1: stock 11, movements 12",
    ),
    "released stock that is held again": (
        "UPDATE catalog.reservations SET state = 'held' WHERE state = 'released'",
        "is not 15",
    ),
    "an oversold moment": ("UPDATE catalog.stock_movements SET stock = -1 WHERE id = 2", "had a stock of -1"),
    "an order without its reservation": (
        "DELETE FROM catalog.reservations WHERE order_id = 1",
        "order 1 is fulfilled, its reservation None",
    ),
    "a reservation without its order": ("DELETE FROM ordering.orders WHERE id = 3", "a reservation for order 3"),
    "a reservation of something else": (
        "UPDATE catalog.reservations SET request = REPLACE(request, '\"quantity\":3', '\"quantity\":4')",
        "order 1 has other lines than its reservation",
    ),
    "stock taken twice for one order": (
        "INSERT INTO catalog.stock_movements (product_id, kind, delta, stock, order_id) VALUES (1, 'reservation', -3, 9, 1)",
        "order 1: reservation moved",
    ),
    "stock returned twice": (
        "INSERT INTO catalog.stock_movements (product_id, kind, delta, stock, order_id) VALUES (1, 'release', 1, 13, 2)",
        "order 2: release moved",
    ),
    "an acknowledged order that is gone": (
        "DELETE FROM ordering.orders WHERE id = 1",
        "order 1 was acknowledged and is gone",
    ),
    "an order under another's key": (
        "UPDATE ordering.orders SET request_key = 'stranger' WHERE id = 1",
        "a key that nobody sent",
    ),
    "an order that came into another's hands": (
        "UPDATE ordering.orders SET customer = 'bob' WHERE id = 1",
        "order 1 is not what was acknowledged",
    ),
    "an order left in doubt": ("UPDATE ordering.orders SET state = 'pending' WHERE id = 1", "is still pending"),
    "a refusal that was sold": ("UPDATE ordering.orders SET state = 'placed' WHERE id = 5", "key five was refused"),
    "an order that is fulfilled and was never completed": (
        "UPDATE ordering.orders SET fulfilled_at = NULL WHERE id = 1",
        "order 1 is fulfilled and was completed 0 times",
    ),
    "an order completed and then cancelled": (
        "UPDATE ordering.orders SET fulfilled_at = NOW() WHERE id = 2",
        "order 2 is cancelled and was completed 1 times",
    ),
    "a fulfilment that says otherwise": (
        "UPDATE fulfilment.fulfilments SET state = 'cancelled' WHERE order_id = 1",
        "order 1 is fulfilled, its fulfilment cancelled",
    ),
    "a restock that counted twice": (
        "INSERT INTO catalog.stock_movements (product_id, kind, delta, stock, reason)"
        " VALUES (1, 'adjustment', 5, 17, 'found')",
        "adjustment found was applied 2 times",
    ),
    "a flash sale that kept one back": (
        "UPDATE ordering.orders SET state = 'rejected' WHERE id = 4",
        "1 of 2 sold, 3 wanted",
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_named(day: Day, what: str) -> None:
    sql, sentence = PLANTED[what]
    day.server.execute(sql)

    assert any(sentence in found for found in day.found()), day.found()


def test_two_orders_under_one_key_are_named(day: Day) -> None:
    now = day.snapshot()
    twin = replace(now.orders[1], id=9)

    assert checker.one_key_one_order(replace(now, orders={**now.orders, 9: twin})) == [
        f"key one of {CUSTOMER} has 2 orders"
    ]


def test_one_key_of_two_customers_may_have_two_orders(day: Day) -> None:
    now = day.snapshot()
    another = replace(now.orders[1], id=9, customer="bob")

    assert checker.one_key_one_order(replace(now, orders={**now.orders, 9: another})) == []


def test_an_order_that_another_customer_was_shown_is_named(day: Day) -> None:
    day.ledger.shown.add((CUSTOMER, 1))
    assert day.found() == []

    day.ledger.shown.add(("bob", 1))
    assert f"order 1 of {CUSTOMER} was shown to bob" in day.found()


def test_what_was_shipped_although_cancelled_is_named(day: Day) -> None:
    day.effects += Counter({2: 1})

    assert "order 2 is cancelled and shipped" in day.found()


def test_what_was_fulfilled_and_never_shipped_is_named(day: Day) -> None:
    del day.effects[1]

    assert "order 1 is fulfilled and never shipped" in day.found()


def test_what_was_shipped_and_cancelled_by_force_is_none(day: Day) -> None:
    day.effects += Counter({2: 1})
    day.ledger.perhaps_forced.add(2)

    assert day.found() == []


def test_an_effect_more_than_there_were_tries_that_may_have_had_it_is_named(day: Day) -> None:
    day.effects += Counter({1: 1})

    assert "order 1 was shipped 2 times, with 0 tries that may have shipped before the last" in day.found()


def test_an_order_of_a_client_who_was_told_that_there_is_none_is_named(day: Day) -> None:
    told = day.ledger.placements[CUSTOMER, "one"]
    told.sent = told.not_accepted = 1
    assert any("key one was told that its order was not accepted" in found for found in day.found())

    told.sent = 2  # the other answer may have been another
    assert day.found() == []


def test_an_order_that_stays_failed_though_it_was_redriven_is_named(day: Day) -> None:
    day.ledger.redriven.add(1)
    day.server.execute("UPDATE ordering.orders SET state = 'failed' WHERE id = 1")

    assert "order 1 was redriven and is failed" in day.found()


def test_a_system_in_which_cancels_always_lose_is_named(day: Day) -> None:
    day.ledger.early_cancels |= {1: False, 2: False}
    assert day.found() == []

    day.ledger.early_cancels |= {3: False}
    assert "2 of 3 early cancels in storms came to nothing, as that of order 1" in day.found()


def test_a_cancel_that_loses_while_nothing_is_broken_is_named(day: Day) -> None:
    day.ledger.early_cancels |= {2: True}
    assert day.found() == []

    day.ledger.early_cancels |= {3: True}
    assert "1 of 2 early cancels while nothing was broken came to nothing, as that of order 3" in day.found()


def test_a_cancel_by_force_that_came_to_nothing_is_named(day: Day) -> None:
    day.ledger.forced |= {2}
    assert day.found() == []

    day.ledger.forced |= {1}
    assert "order 1 was cancelled by force and is fulfilled" in day.found()


def test_a_cancel_refused_for_no_good_reason_is_named(day: Day) -> None:
    day.ledger.too_late |= {1: "fulfilled"}
    assert day.found() == []

    for reason in ("pending", "fulfilled", ""):
        day.ledger.too_late |= {2: reason}
        assert f"order 2 could not be cancelled because it was {reason}, and is cancelled" in day.found()


def test_who_waits_for_a_row_that_he_does_not_want_is_named() -> None:
    held, other = frozenset({1}), frozenset({2})
    waits = [Wait(held, 10, 18), Wait(held | other, 11, 19), Wait(other, 1, 9), Wait(other, 12, 13), Wait(held, 9)]
    assert promises.held_up(waits, 7, 15, [1]) == []

    waits.append(Wait(other, 14, 17))
    assert promises.held_up(waits, 7, 15, [1]) == [
        "while products [1] were locked a client of others waited 3.0 s longer"
    ]


def test_on_a_busy_machine_a_wait_counts_by_what_it_is_longer_than_those_before() -> None:
    before, other = Wait(frozenset({1}), 3, 5), frozenset({2})
    assert promises.held_up([before, Wait(other, 6, 9)], 5, 15, [1]) == []

    [found] = promises.held_up([before, Wait(other, 6, 11)], 5, 15, [1])
    assert found == "while products [1] were locked a client of others waited 3.0 s longer"


def test_who_waits_still_or_was_refused_because_of_a_row_that_he_does_not_want_is_named() -> None:
    other = frozenset({2})
    [still] = promises.held_up([Wait(other, time.monotonic() - 60)], 0, float("inf"), [1])
    [refused] = promises.held_up([Wait(other, 10, 10.1, refused=True)], 5, 15, [1])

    assert re.fullmatch(r"while products \[1\] were locked a client of others waited 6\d\.\d s longer", still)
    assert refused == "while products [1] were locked 1 clients of others were refused"


def test_an_armed_replica_that_ends_otherwise_than_at_its_point_is_unexpected() -> None:
    def death(status: int, **how: bool) -> Death:
        return Death("ordering-api-0", "ordering-api", "accept.before_commit", status, "accept.before_commit", **how)

    assert death(-signal.SIGKILL).expected
    assert not death(1).expected
    assert not death(0).expected
    assert death(0, asked_to_go=True).expected
    assert not Death("ordering-api-0", "ordering-api", None, 0).expected


def test_what_is_seen_every_second_is_told_once() -> None:
    ledger = Ledger()

    ledger.violated(["one"])
    ledger.violated(["one", "two"])

    assert ledger.violations == ["one", "two"]


def test_of_many_of_a_kind_only_the_first_are_shown() -> None:
    placements = [Placement(str(n), [], [Answer(201, b"")], order_id=n) for n in range(1, 9)]
    ledger = Ledger(placements={placement.identity: placement for placement in placements})
    empty = Snapshot({}, [], {}, {}, {}, Counter(), {})

    assert checker.at_the_end(empty, ledger, Counter())[-1] == "… and 3 more like it"


def test_two_answers_to_one_key_must_be_equal() -> None:
    ledger, placement = Ledger(), Placement("key", [(1, 1)])

    ledger.answered(placement, Answer(201, b"one"), 1)
    ledger.answered(placement, Answer(201, b"one"), 1)
    assert ledger.violations == []
    ledger.answered(placement, Answer(201, b"other"), 1)

    assert len(ledger.violations) == 1


def test_one_key_must_not_name_two_orders() -> None:
    ledger, placement = Ledger(), Placement("key", [(1, 1)])

    ledger.named(placement, 1)
    ledger.named(placement, 2)

    assert ledger.violations == ["key key: order 1 and then 2"]


def test_a_state_seen_going_back_is_a_violation_unless_the_questions_overlapped() -> None:
    ledger = Ledger()
    ledger.saw(1, "fulfilled", asked_at=0)

    ledger.saw(1, "placed", asked_at=0)
    assert ledger.violations == []
    ledger.saw(1, "placed", asked_at=float("inf"))

    assert ledger.violations == ["order 1 went from fulfilled back to placed"]


def test_states_are_reachable_forwards_and_by_a_redrive() -> None:
    assert reachable("pending", "cancelled")
    assert reachable("failed", "placed")
    assert not reachable("releasing", "fulfilled")
    assert not reachable("placed", "pending")


UNSETTLED = {
    "an order in doubt": ("UPDATE ordering.orders SET state = 'pending' WHERE id = 1", "orders pending"),
    "an order without its worker": (
        "UPDATE fulfilment.fulfilments SET state = 'processing' WHERE order_id = 1",
        "fulfilments without a living worker",
    ),
    "an unsent batch": ("INSERT INTO ordering.outbox (id, payload) VALUES (1, '{}')", "unsent batches of ordering"),
}


@pytest.mark.parametrize("what", UNSETTLED)
def test_what_is_not_settled_is_named(day: Day, redis_server: RedisServer, redis_url: str, what: str) -> None:
    system = cast(WholeSystem, SimpleNamespace(mysql=day.server, redis=redis_server))
    _read_everything(redis_url)
    sql, name = UNSETTLED[what]
    assert settling.unsettled(system, settling.mark(system)) == {}

    day.server.execute(sql)

    assert settling.unsettled(system, settling.mark(system)) == {name: 1}


@pytest.mark.parametrize(("step", "is_new"), [("redriven", True), ("cancel_requested", True), ("failed", False)])
def test_what_is_redriven_or_cancelled_after_the_heal_is_no_part_of_what_has_to_settle(
    day: Day, redis_server: RedisServer, redis_url: str, step: str, is_new: bool
) -> None:
    system = cast(WholeSystem, SimpleNamespace(mysql=day.server, redis=redis_server))
    _read_everything(redis_url)
    before = settling.mark(system)

    day.server.execute(
        "UPDATE ordering.orders SET state = 'placed' WHERE id = 1;"
        f"INSERT INTO ordering.order_steps (order_id, step, at, detail) VALUES (1, '{step}', NOW(6), '{{}}')"
    )

    assert settling.unsettled(system, before) == ({} if is_new else {"orders placed": 1})


def test_an_entry_that_nobody_acknowledged_is_not_settled(day: Day, redis_server: RedisServer, redis_url: str) -> None:
    system = cast(WholeSystem, SimpleNamespace(mysql=day.server, redis=redis_server))
    _read_everything(redis_url)
    with Redis.from_url(redis_url) as client:
        client.xadd("ordering", {"__data__": "{}"})
        client.xreadgroup("fulfilment", "somebody", {"ordering": ">"})

    assert settling.unsettled(system, settling.mark(system)) == {"entries of ordering not acknowledged": 1}


def _read_everything(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        for stream in settling.STREAMS:
            for group in stream.groups:
                client.xgroup_create(stream.name, group, id="0", mkstream=True)
