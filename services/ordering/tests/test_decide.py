"""Deciding: the orders still pending move, exactly those placed are announced."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import Connection

from chassis.database.transactions import Database
from contracts.reservations import REFUSALS, LimitReached, Outcome, Result
from harness.statements import statements
from harness.threads import at_once
from ordering.model import MAX_ITEMS, MAX_QUANTITY, State
from ordering.orders import Order, lock
from ordering.place_orders import NotPending, Verdict, decide, decide_pending, decide_together
from ordering.tests.factories import (
    DECIDED_AT,
    PRICE,
    a_pending_order,
    an_order,
    announcements,
    held,
    outbox_events,
    refused,
    rows,
    seconds_until_due,
    the_order,
    undecided,
)

Decide = Callable[[Connection, Sequence[Verdict]], list[Order]]


def decide_all(database: Database, *verdicts: Verdict) -> list[Order]:
    return asyncio.run(decide_together(database, verdicts))


def test_held_stock_places_the_order_with_its_prices_and_announces_it(database: Database) -> None:
    order = a_pending_order(database, (1, 2), (2, 3))

    [placed] = decide_all(database, held(order))

    assert (placed.state, placed.total) == (State.PLACED, Decimal("52.50"))
    [event] = outbox_events(database)
    assert event["type"] == "OrderPlaced"
    assert (event["order_id"], event["revision"], event["total"]) == (order.id, 1, "52.50")
    assert [tuple(item.values()) for item in event["items"]] == [(1, 2, "10.50"), (2, 3, "10.50")]


def test_what_is_answered_is_what_is_stored(database: Database) -> None:
    [placed] = decide_all(database, held(a_pending_order(database)))

    stored = the_order(database, placed.id)

    assert (stored.state, stored.items, stored.total) == (placed.state, placed.items, placed.total)
    assert stored.created_at == placed.created_at
    assert stored.reserved_at == DECIDED_AT.replace(tzinfo=None)
    assert stored.decided_at is not None
    assert stored.refusal is None


def test_a_decided_order_is_not_looked_after_but_its_announcement_is(database: Database) -> None:
    [placed] = decide_all(database, held(a_pending_order(database)))

    assert seconds_until_due(database, placed.id) is None
    assert announcements(database) == [("OrderPlaced", placed.id, 1)]


@pytest.mark.parametrize("result", sorted(REFUSALS))
def test_a_refusal_is_stored_whole_and_announced_to_nobody(database: Database, result: Result) -> None:
    order = a_pending_order(database)
    verdict = refused(order, result)

    [rejected] = decide_all(database, verdict)

    assert rejected.state is State.REJECTED
    assert announcements(database) == []
    stored = the_order(database, order.id)
    assert stored.refusal == verdict.outcome == rejected.refusal
    assert seconds_until_due(database, order.id) is None
    assert (stored.total, stored.items) == (None, order.items)


def test_the_longest_refusal_there_can_be_is_stored_whole(database: Database) -> None:
    order = a_pending_order(database)
    limits = [LimitReached(2**63 - n, 10**9, has=10**9, requested=MAX_QUANTITY) for n in range(1, MAX_ITEMS + 1)]
    outcome = Outcome(2**63 - 1, Result.LIMIT_REACHED, limits=limits, decided_at=DECIDED_AT)

    decide_all(database, Verdict(order, outcome))

    assert the_order(database, order.id).refusal == outcome


@pytest.mark.parametrize("result", [Result.UNDECIDED, Result.MISMATCH])
def test_no_decision_moves_nothing(database: Database, result: Result) -> None:
    order = a_pending_order(database)

    [same] = decide_all(database, undecided(order, result))

    assert same == order == the_order(database, order.id)
    assert announcements(database) == []


@pytest.mark.parametrize("late", [held, refused])
def test_who_comes_late_answers_what_is_stored_and_touches_nothing(
    database: Database, late: Callable[[Order], Verdict]
) -> None:
    orders = [an_order(database, state, revision=3) for state in State if state is not State.PENDING]
    before = rows(database, "SELECT * FROM orders")

    answered = decide_all(database, *(late(order) for order in orders))

    assert answered == orders
    assert rows(database, "SELECT * FROM orders") == before
    assert announcements(database) == []


def test_who_decides_while_another_does_waits_and_then_touches_nothing(database: Database) -> None:
    order = a_pending_order(database)

    def decide_while_another_does(connection: Connection) -> "Future[list[Order]]":
        decide(connection, [held(order)])
        other = threads.submit(decide_all, database, refused(order))
        with pytest.raises(TimeoutError):
            other.result(0.3)
        return other

    with ThreadPoolExecutor(1) as threads:
        [answered] = database.transact(decide_while_another_does).result()

    assert answered == the_order(database, order.id)
    assert answered.state is State.PLACED
    assert announcements(database) == [("OrderPlaced", order.id, 1)]


def test_a_batch_announces_exactly_those_it_moved(database: Database) -> None:
    before = an_order(database, State.CANCELLING)
    orders = [a_pending_order(database) for _ in range(5)]
    verdicts = [
        held(orders[3]),
        held(before),
        refused(orders[0]),
        held(orders[1]),
        undecided(orders[2]),
        held(orders[3]),
    ]

    decided = decide_all(database, *verdicts)

    assert [order.state for order in decided] == [
        State.PLACED,
        State.CANCELLING,
        State.REJECTED,
        State.PLACED,
        State.PENDING,
        State.PLACED,
    ]
    assert announcements(database) == [("OrderPlaced", orders[3].id, 1), ("OrderPlaced", orders[1].id, 1)]
    assert the_order(database, orders[4].id).state is State.PENDING


def test_two_that_finish_one_placement_at_once_announce_it_once(database: Database) -> None:
    orders = [a_pending_order(database) for _ in range(30)]
    verdicts = [held(order) for order in orders]

    one, other = at_once([partial(decide_all, database, *verdicts), partial(decide_all, database, *verdicts[::-1])])

    assert {order.state for order in one + other} == {State.PLACED}
    assert sorted(announcements(database)) == [("OrderPlaced", order.id, 1) for order in orders]


@pytest.mark.parametrize("way", [decide, decide_pending])
def test_a_crash_between_the_move_and_the_announcement_leaves_neither(database: Database, way: Decide) -> None:
    order = a_pending_order(database)

    def crash(connection: Connection) -> None:
        way(connection, [held(order)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.transact(crash)

    assert the_order(database, order.id) == order
    assert announcements(database) == []


def test_a_commit_whose_answer_was_lost_is_run_again_without_a_second_announcement(database: Database) -> None:
    verdict = held(a_pending_order(database))

    decide_all(database, verdict)
    [again] = decide_all(database, verdict)

    assert again.state is State.PLACED
    assert len(announcements(database)) == 1


def test_hundreds_are_decided_in_one_transaction_each_by_its_own_outcome(database: Database) -> None:
    orders = [a_pending_order(database, (1, 1 + n % 50)) for n in range(50)]

    decide_all(database, *(held(order) if order.id % 3 else refused(order) for order in orders))

    stored = [the_order(database, order.id) for order in orders]
    assert [order.total for order in stored] == [
        PRICE * (1 + n % 50) if o.id % 3 else None for n, o in enumerate(orders)
    ]
    assert {order.state for order in stored if order.id % 3 == 0} == {State.REJECTED}
    assert len(announcements(database)) == sum(1 for order in orders if order.id % 3)


@pytest.mark.parametrize("way", [decide, decide_pending])
def test_any_number_of_orders_costs_as_many_statements_as_one(database: Database, way: Decide) -> None:
    one, *many = [held(a_pending_order(database)) for _ in range(50)]

    assert statements(database, way, many) == statements(database, way, [one])


async def test_orders_still_pending_are_not_looked_at_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (held(a_pending_order(database)) for _ in range(2))
    ran: list[str] = []
    transact = database.transact

    def noting(work: Callable[..., object], *args: object) -> object:
        ran.append(work.__name__)
        return transact(work, *args)

    monkeypatch.setattr(database, "transact", noting)

    await decide_together(database, [one])

    assert ran == ["decide_pending"]
    assert statements(database, decide_pending, [other]) < statements(
        database, decide, [held(a_pending_order(database))]
    )


@pytest.mark.parametrize(("state", "verdict"), [(State.CANCELLING, held), (State.PENDING, undecided)])
def test_what_is_expected_of_all_is_undone_for_all(
    database: Database, state: State, verdict: Callable[[Order], Verdict]
) -> None:
    before, after = a_pending_order(database), a_pending_order(database)
    spoilt = an_order(database, state)

    with pytest.raises(NotPending):
        database.transact(decide_pending, [held(before), verdict(spoilt), held(after)])

    assert (the_order(database, before.id), the_order(database, after.id)) == (before, after)
    assert announcements(database) == []


@pytest.mark.parametrize("way", [decide, decide_pending])
def test_deciding_one_order_waits_for_no_other(database: Database, way: Decide) -> None:
    mine, others = a_pending_order(database), [a_pending_order(database) for _ in range(3)]

    def decide_while_others_are_locked(connection: Connection) -> list[Order]:
        lock(connection, [order.id for order in others])
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(database.transact, way, [held(mine)]).result(1)

    [placed] = database.transact(decide_while_others_are_locked)

    assert placed.state is State.PLACED


@pytest.mark.parametrize("way", [decide, decide_pending])
def test_orders_are_locked_by_their_ids_whatever_order_they_came_in(database: Database, way: Decide) -> None:
    first, second, third = [a_pending_order(database) for _ in range(3)]
    verdicts = [held(order) for order in (third, second, first)]

    def decide_while_the_second_is_locked(connection: Connection) -> set[int]:
        lock(connection, [second.id])
        deciding = threads.submit(database.transact, way, verdicts)
        free = free_orders(database)
        for _ in range(1000):
            if first.id not in free or deciding.done():
                break
            free = free_orders(database)
        return free

    with ThreadPoolExecutor(1) as threads:
        assert database.transact(decide_while_the_second_is_locked) == {third.id}


def free_orders(database: Database) -> set[int]:
    return {id_ for (id_,) in rows(database, "SELECT id FROM orders FOR UPDATE SKIP LOCKED")}
