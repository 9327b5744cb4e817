"""Taking over: new orders once, repeats not at all, decided ones are answered again."""

from functools import partial

import pytest

from chassis.database.transactions import Database
from contracts.events import OrderPlaced
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import State
from fulfilment.on_order_placed import take
from fulfilment.tests.factories import (
    ME,
    OTHER,
    a_fulfilment,
    a_past_try,
    order_placed,
    outbox_events,
    rows,
    states,
    the_fulfilment,
    told,
)
from harness.statements import statements
from harness.threads import at_once

IN_WORK = [State.PROCESSING, State.COMMITTING]
DECIDED = [
    (State.FULFILLED, "OrderFulfilled"),
    (State.FAILED, "FulfilmentFailed"),
    (State.CANCELLED, "FulfilmentCancelled"),
]


def take_all(database: Database, *events: OrderPlaced, owner: str = ME) -> list[Fulfilment]:
    return database.transact(take, events, owner)


def test_a_new_order_is_owned_by_this_boot_under_its_first_fence(database: Database) -> None:
    [taken] = take_all(database, order_placed(7))

    assert taken == the_fulfilment(database, 7)
    assert (taken.order_id, taken.state, taken.owner, taken.fence) == (7, State.PROCESSING, ME, 1)
    assert taken.items == order_placed()["items"]
    assert taken.taken_at == taken.started_at is not None
    assert told(database) == []


@pytest.mark.parametrize("state", IN_WORK)
@pytest.mark.parametrize("owner", [ME, OTHER])
def test_a_repeat_of_an_order_in_work_changes_nothing(database: Database, state: State, owner: str) -> None:
    before = a_fulfilment(database, state=state, owner=owner, fence=3, failures=1)

    taken = take_all(database, order_placed())

    assert taken == []
    assert the_fulfilment(database) == before
    assert told(database) == []


@pytest.mark.parametrize(("state", "answer"), DECIDED)
def test_a_repeat_of_a_decided_order_is_answered_once_more(database: Database, state: State, answer: str) -> None:
    before = a_fulfilment(database, state=state, revision=2)

    taken = take_all(database, order_placed(revision=1), order_placed(revision=1))

    assert taken == []
    assert told(database) == [(answer, 1, 2)]
    assert outbox_events(database)[0]["decided_at"] == before.decided_at
    assert the_fulfilment(database) == before


def test_a_failed_order_begins_again_when_it_is_redriven(database: Database) -> None:
    a_fulfilment(database, state=State.FAILED, owner=OTHER, fence=5, failures=5, reason="no paper")
    a_past_try(database, fence=5)

    [taken] = take_all(database, order_placed(revision=2))

    assert (taken.state, taken.owner, taken.fence, taken.failures) == (State.PROCESSING, ME, 6, 0)
    assert (taken.revision, taken.reason, taken.decided_at) == (2, None, None)
    assert told(database) == []


def test_a_stale_announcement_does_not_redrive_a_failed_order(database: Database) -> None:
    before = a_fulfilment(database, state=State.FAILED, revision=2)

    taken = take_all(database, order_placed(revision=2))

    assert taken == []
    assert the_fulfilment(database) == before
    assert told(database) == [("FulfilmentFailed", 1, 2)]


@pytest.mark.parametrize("state", [State.FULFILLED, State.CANCELLED, *IN_WORK])
def test_no_announcement_restarts_what_has_not_failed(database: Database, state: State) -> None:
    before = a_fulfilment(database, state=state)

    take_all(database, order_placed(revision=9))

    assert the_fulfilment(database) == before


def test_a_tombstone_stops_the_order_that_its_cancel_overtook(database: Database) -> None:
    a_fulfilment(database, state=State.CANCELLED, owner=None, fence=0, revision=2)

    taken = take_all(database, order_placed(revision=1))

    assert taken == []
    assert states(database) == {1: "cancelled"}
    assert told(database) == [("FulfilmentCancelled", 1, 2)]


def test_an_order_announced_twice_in_a_batch_is_taken_once(database: Database) -> None:
    taken = take_all(database, order_placed(1), order_placed(2), order_placed(1))

    assert [row.order_id for row in taken] == [1, 2]


def test_a_batch_takes_the_new_and_leaves_the_rest(database: Database) -> None:
    a_fulfilment(database, 1)
    a_fulfilment(database, 2, State.FULFILLED)
    a_fulfilment(database, 3, State.FAILED)

    taken = take_all(database, *(order_placed(n, revision=2) for n in range(1, 6)))

    assert [row.order_id for row in taken] == [3, 4, 5]
    assert told(database) == [("OrderFulfilled", 2, 1)]


def test_twins_in_two_workers_at_once_take_each_order_once(database: Database) -> None:
    for first in range(1, 101, 20):
        events = [order_placed(first + n) for n in range(20)]
        ours, theirs = at_once(
            [partial(take_all, database, *events), partial(take_all, database, *events[::-1], owner=OTHER)]
        )

        assert sorted(row.order_id for row in ours + theirs) == [event["order_id"] for event in events]
    assert rows(database, "SELECT COUNT(*), MAX(fence) FROM fulfilments") == [(100, 1)]


def test_a_commit_whose_answer_was_lost_is_run_again_without_a_second_try(database: Database) -> None:
    take_all(database, order_placed())
    before = the_fulfilment(database)

    again = take_all(database, order_placed())

    assert again == [], "whoever owns the row gives it back to itself"
    assert the_fulfilment(database) == before


def test_any_number_of_orders_costs_as_many_statements_as_one(database: Database) -> None:
    one, *many = [order_placed(order_id) for order_id in range(1, 51)]

    assert statements(database, take, many, ME) == statements(database, take, [one], ME)


def test_new_orders_are_not_looked_for(database: Database) -> None:
    a_fulfilment(database, 1)

    assert statements(database, take, [order_placed(2)], ME) < statements(database, take, [order_placed(1)], ME)
