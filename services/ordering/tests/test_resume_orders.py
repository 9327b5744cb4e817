"""Whatever a crash leaves in doubt is finished by somebody else, forwards."""

import asyncio
import math
from functools import partial

import pytest
from sqlalchemy import Connection

from chassis.database.transactions import Database
from harness.clocks import set_back
from harness.threads import at_once
from ordering.model import State
from ordering.orders import Order, lock
from ordering.place_orders import Stages, Verdict, Wanted, place
from ordering.resume_orders import LOOK_AGAIN_SECONDS, RESUME_AFTER_SECONDS, claim_overdue, resume
from ordering.tests.catalog_stand_in import CatalogStandIn
from ordering.tests.factories import (
    a_new_order,
    a_pending_order,
    an_order,
    announcements,
    let_be_due,
    rows,
    seconds_until_due,
    states,
    the_order,
)


def overdue_orders(database: Database, count: int) -> list[Order]:
    orders = [a_pending_order(database, (1, 2)) for _ in range(count)]
    let_be_due(database, [order.id for order in orders])
    return orders


async def test_a_crash_after_accepting_is_finished(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    [order] = overdue_orders(database, 1)

    await resume(database, placing)

    assert the_order(database, order.id).state is State.PLACED
    assert catalog.stock[1] == 998
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


async def test_a_crash_after_catalog_decided_takes_no_second_stock(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    [order] = overdue_orders(database, 1)
    await placing.reserve(Wanted(order.reservation(), math.inf))

    await resume(database, placing)

    assert the_order(database, order.id).state is State.PLACED
    assert catalog.stock[1] == 998
    assert len(announcements(database)) == 1


async def test_a_crash_after_the_decision_leaves_nothing_to_resume(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    [order] = overdue_orders(database, 1)
    await placing.decide(Verdict(order, await placing.reserve(Wanted(order.reservation(), math.inf))))
    let_be_due(database, [order.id])

    await resume(database, placing)

    assert len(catalog.asked) == 1
    assert len(announcements(database)) == 1


async def test_a_refusal_in_doubt_is_finished_as_a_refusal(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    [order] = overdue_orders(database, 1)
    catalog.stock[1] = 1

    await resume(database, placing)

    assert the_order(database, order.id).state is State.REJECTED


async def test_an_order_whose_process_may_still_be_at_it_is_left_alone(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    order = a_pending_order(database)

    await resume(database, placing)

    assert the_order(database, order.id).state is State.PENDING
    assert catalog.asked == []


@pytest.mark.parametrize(
    ("seconds_ago", "is_overdue"), [(RESUME_AFTER_SECONDS - 2, False), (RESUME_AFTER_SECONDS, True)]
)
def test_an_order_is_overdue_once_whoever_accepted_it_must_have_given_up(
    database: Database, seconds_ago: int, is_overdue: bool
) -> None:
    order = a_pending_order(database)
    rows(database, "UPDATE orders SET created_at = created_at - INTERVAL :ago SECOND", ago=seconds_ago)

    claimed = database.transact(claim_overdue, State.PENDING)

    assert [found.id for found in claimed] == ([order.id] if is_overdue else [])


async def test_only_pending_orders_are_resumed(database: Database, placing: Stages, catalog: CatalogStandIn) -> None:
    expected = {an_order(database, state, due_in=-5).id: state for state in State if state is not State.PENDING}

    await resume(database, placing)

    assert catalog.asked == []
    assert states(database) == expected


async def test_what_stays_in_doubt_is_due_again_soon_and_never_released(
    database: Database, placing: Stages, catalog: CatalogStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.resume_orders.TRY_FOR_SECONDS", 0.4)
    [order] = overdue_orders(database, 1)
    catalog.always = 503

    await resume(database, placing)

    assert the_order(database, order.id).state is State.PENDING
    assert 0 < (seconds_until_due(database, order.id) or 0) <= LOOK_AGAIN_SECONDS
    assert catalog.released == []


def test_two_resume_loops_at_once_share_the_work(database: Database) -> None:
    expected = {order.id for order in overdue_orders(database, 60)}

    shares = at_once([partial(database.transact, claim_overdue, State.PENDING)] * 3)

    claimed = [order.id for share in shares for order in share]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= expected
    assert set(claimed) | {order.id for order in database.transact(claim_overdue, State.PENDING)} == expected


def test_a_claim_waits_for_nobodys_lock(database: Database) -> None:
    locked, free = overdue_orders(database, 2)

    def claim_beside(connection: Connection) -> list[Order]:
        lock(connection, [locked.id])
        return database.transact(claim_overdue, State.PENDING)

    claimed = database.transact(claim_beside)

    assert [order.id for order in claimed] == [free.id]


async def test_a_client_that_comes_back_while_it_is_resumed_gets_the_same_order(
    database: Database, placing: Stages, catalog: CatalogStandIn
) -> None:
    order = a_pending_order(database, (1, 2), key="a key")
    let_be_due(database, [order.id])

    _, answered = await asyncio.gather(resume(database, placing), place(a_new_order("a key", (1, 2)), placing, 5))

    assert (answered.id, answered.state) == (order.id, State.PLACED)
    assert catalog.stock[1] == 998
    assert len(announcements(database)) == 1


async def test_one_that_breaks_catalog_holds_up_no_other(
    database: Database, placing: Stages, catalog: CatalogStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.resume_orders.TRY_FOR_SECONDS", 1.0)
    orders = overdue_orders(database, 8)
    catalog.broken_by = orders[5].id

    await resume(database, placing)

    assert [id_ for id_, state in states(database).items() if state != "placed"] == [orders[5].id]


@pytest.mark.parametrize("seconds", [61, 3600])
def test_a_database_clock_set_back_leaves_no_order_in_doubt(database: Database, seconds: int) -> None:
    order = a_pending_order(database, (1, 2))

    def overdue_then(connection: Connection) -> list[Order]:
        with set_back(connection, seconds):
            return claim_overdue(connection, State.PENDING)

    assert database.transact(claim_overdue, State.PENDING) == []
    assert [found.id for found in database.transact(overdue_then)] == [order.id]
