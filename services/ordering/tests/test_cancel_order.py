"""Cancelling and redriving: the wish and its announcement are one commit, under a new revision."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.problems import Conflict, NotFound
from chassis.web.access import EVERYBODY, Caller
from harness.threads import at_once
from ordering.announce_again import announce
from ordering.cancel_order import ALREADY, StillCancelling, StillPending, TooLate, cancel
from ordering.model import State
from ordering.orders import Order
from ordering.place_orders import decide
from ordering.redrive_order import redrive
from ordering.tests.factories import (
    a_pending_order,
    an_order,
    announcements,
    held,
    outbox_events,
    rows,
    seconds_until_due,
    states,
    steps_of,
    the_order,
)

Verb = Callable[[Connection, int, Caller], Order]


@pytest.mark.parametrize("state", [State.PLACED, State.FAILED])
def test_a_cancel_is_noted_and_announced_in_one_commit(database: Database, state: State) -> None:
    order = an_order(database, state, revision=4)

    cancelling = database.transact(cancel, order.id, EVERYBODY)

    assert cancelling == the_order(database, order.id)
    assert (cancelling.state, cancelling.revision) == (State.CANCELLING, 5)
    assert announcements(database) == [("OrderCancelled", order.id, 5)]
    assert steps_of(database, order.id) == ["cancel_requested"]
    assert seconds_until_due(database, order.id) is None, "its announcement is looked after"


@pytest.mark.parametrize("state", sorted(ALREADY))
def test_a_cancel_repeated_gives_the_order_as_it_is(database: Database, state: State) -> None:
    order = an_order(database, state, revision=2)

    assert database.transact(cancel, order.id, EVERYBODY) == order

    assert the_order(database, order.id) == order
    assert (announcements(database), steps_of(database, order.id)) == ([], [])


@pytest.mark.parametrize(
    ("state", "error"),
    [(State.PENDING, StillPending), (State.FULFILLED, TooLate), (State.REJECTED, TooLate)],
)
def test_what_can_not_be_cancelled_is_left_as_it_is(database: Database, state: State, error: type[Conflict]) -> None:
    order = an_order(database, state)

    with pytest.raises(error):
        database.transact(cancel, order.id, EVERYBODY)

    assert the_order(database, order.id) == order
    assert announcements(database) == []


def test_a_failed_order_is_redriven_under_a_new_revision_with_its_announcement(database: Database) -> None:
    order = an_order(database, State.FAILED, revision=2)

    placed = database.transact(redrive, order.id, EVERYBODY)

    assert placed == the_order(database, order.id)
    assert (placed.state, placed.revision) == (State.PLACED, 3)
    [event] = outbox_events(database)
    assert (event["type"], event["revision"]) == ("OrderPlaced", 3)
    assert event["type"] == "OrderPlaced"
    assert event["total"] == str(order.total)
    assert steps_of(database, order.id) == ["redriven"]


def test_a_redrive_repeated_changes_nothing(database: Database) -> None:
    order = an_order(database, State.FAILED)
    first = database.transact(redrive, order.id, EVERYBODY)

    again = database.transact(redrive, order.id, EVERYBODY)

    assert again == first
    assert len(announcements(database)) == 1


def test_only_a_failed_order_is_redriven(database: Database) -> None:
    for state in set(State) - {State.FAILED, State.PLACED}:
        order = an_order(database, state)

        with pytest.raises(Conflict):
            database.transact(redrive, order.id, EVERYBODY)

        assert the_order(database, order.id) == order


@pytest.mark.parametrize("verb", [cancel, redrive])
def test_an_order_that_never_was_is_not_found(database: Database, verb: Verb) -> None:
    with pytest.raises(NotFound):
        database.transact(verb, 4711, EVERYBODY)


@pytest.mark.parametrize(("verb", "announced"), [(cancel, "OrderCancelled"), (redrive, "OrderPlaced")])
def test_asked_ten_times_at_once_it_is_done_and_announced_once(database: Database, verb: Verb, announced: str) -> None:
    order = an_order(database, State.FAILED)

    answers = at_once([partial(database.transact, verb, order.id, EVERYBODY)] * 10)

    assert {answer.revision for answer in answers} == {2}
    assert announcements(database) == [(announced, order.id, 2)]
    assert len(steps_of(database, order.id)) == 1


def test_cancel_and_redrive_at_once_end_in_one_of_both_orders(database: Database) -> None:
    for _ in range(10):
        order = an_order(database, State.FAILED)

        def redrive_or_refuse(order_id: int = order.id) -> None:
            try:
                database.transact(redrive, order_id, EVERYBODY)
            except Conflict:
                """The cancel was first."""

        def cancel_it(order_id: int = order.id) -> None:
            database.transact(cancel, order_id, EVERYBODY)

        at_once([redrive_or_refuse, cancel_it])

        assert states(database)[order.id] == "cancelling"
        assert announcements(database)[-1][0] == "OrderCancelled"


def test_a_cancel_at_the_same_time_as_the_decision_never_cancels_a_pending_order(database: Database) -> None:
    for _ in range(10):
        order = a_pending_order(database)

        def cancel_or_wait(order_id: int = order.id) -> bool:
            try:
                database.transact(cancel, order_id, EVERYBODY)
            except StillPending:
                return False
            return True

        def decide_it(order: Order = order) -> bool:
            return bool(database.transact(decide, [held(order)]))

        work: list[Callable[[], bool]] = [cancel_or_wait, decide_it]
        came_in_time, _ = at_once(work)

        types = [type_ for type_, order_id, _ in announcements(database) if order_id == order.id]
        assert types == (["OrderPlaced", "OrderCancelled"] if came_in_time else ["OrderPlaced"])


def test_a_crash_leaves_neither_the_wish_nor_its_announcement(database: Database) -> None:
    order = an_order(database, State.PLACED)

    def crash(connection: Connection) -> None:
        cancel(connection, order.id, EVERYBODY)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.transact(crash)

    assert the_order(database, order.id) == order
    assert (announcements(database), rows(database, "SELECT * FROM order_steps")) == ([], [])


def test_a_forced_cancel_says_so_in_its_reminders_too(database: Database) -> None:
    order = an_order(database, State.FAILED)

    database.transact(partial(cancel, forced=True), order.id, EVERYBODY)
    database.transact(announce, order.id, EVERYBODY)

    assert [event["forced"] for event in outbox_events(database) if event["type"] == "OrderCancelled"] == [True, True]
    rows(database, "UPDATE orders SET state = 'failed'")
    database.transact(cancel, order.id, EVERYBODY)
    assert [event["forced"] for event in outbox_events(database) if event["type"] == "OrderCancelled"] == [
        True,
        True,
        False,
    ]


def test_force_is_not_lost_in_a_cancel_without_it_that_is_under_way(database: Database) -> None:
    order = an_order(database, State.PLACED)
    database.transact(cancel, order.id, EVERYBODY)

    with pytest.raises(StillCancelling):
        database.transact(partial(cancel, forced=True), order.id, EVERYBODY)

    assert the_order(database, order.id).cancel_forced is False


def test_force_repeated_gives_the_order_as_it_is(database: Database) -> None:
    order = an_order(database, State.PLACED)

    first, again = (database.transact(partial(cancel, forced=True), order.id, EVERYBODY) for _ in range(2))

    assert first == again
