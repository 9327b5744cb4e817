"""What fulfilment says, against every state and every revision: a stale event never moves a state."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY
from contracts.events import FulfilmentCancelled, FulfilmentEvent, FulfilmentFailed, OrderFulfilled, Try
from harness.statements import statements
from ordering.follow_fulfilment import UnknownOrder
from ordering.model import TRANSITIONS, Cause, State
from ordering.tests.factories import an_order, announcements, rows, seconds_until_due, states, the_order
from ordering.timeline import timeline
from ordering.worker import follow

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TRIES = [
    Try(number=1, worker="a" * 32, started_at=AT, ended_at=AT + timedelta(seconds=1), result="failed", reason="paper"),
    Try(number=2, worker="b" * 32, started_at=AT + timedelta(seconds=2), result="lost", ended_at=None, reason=None),
]
Event = Callable[..., FulfilmentEvent]


def fulfilled(order_id: int, revision: int = 1, tries: list[Try] = TRIES) -> OrderFulfilled:
    return OrderFulfilled(
        type="OrderFulfilled",
        version=1,
        order_id=order_id,
        revision=revision,
        taken_at=AT,
        decided_at=AT + timedelta(seconds=9),
        worker="b" * 32,
        tries=tries,
    )


def failed(order_id: int, revision: int = 1, tries: list[Try] = TRIES) -> FulfilmentFailed:
    return FulfilmentFailed(
        type="FulfilmentFailed",
        version=1,
        order_id=order_id,
        revision=revision,
        taken_at=AT,
        decided_at=AT + timedelta(seconds=5),
        tries=tries,
        reason="paper",
    )


def cancelled(order_id: int, revision: int = 2, tries: list[Try] = TRIES) -> FulfilmentCancelled:
    return FulfilmentCancelled(
        type="FulfilmentCancelled",
        version=1,
        order_id=order_id,
        revision=revision,
        taken_at=AT,
        decided_at=AT + timedelta(seconds=7),
        tries=tries,
    )


EVENTS: list[tuple[Event, Cause]] = [
    (fulfilled, Cause.FULFILLED),
    (failed, Cause.GAVE_UP),
    (cancelled, Cause.CANCEL_ACCEPTED),
]


def told_of(database: Database, order_id: int) -> list[str]:
    """The steps of the timeline that placing did not make."""
    placing = {"accepted", "reserved", "refused", "placed", "rejected"}
    return [step.step for step in database.transact(timeline, order_id, EVERYBODY) if step.step not in placing]


@pytest.mark.parametrize(("event", "cause"), EVENTS)
def test_each_event_moves_each_state_only_as_the_table_says_and_only_at_its_revision(
    database: Database, event: Event, cause: Cause
) -> None:
    orders = {(state, said): an_order(database, state, revision=3) for state in State for said in (1, 2, 3, 4)}

    for (_, said), order in orders.items():
        database.transact(follow, [event(order.id, said)])

    for (state, said), order in orders.items():
        expected = TRANSITIONS.get((state, cause), state) if said == 3 else state
        after = the_order(database, order.id)
        assert (after.state, after.revision) == (expected, 3), f"{state} at revision 3, told of revision {said}"
        assert bool(told_of(database, order.id)) == (expected is not state)
    assert announcements(database) == []


@pytest.mark.parametrize(
    ("event", "at"), [(fulfilled, State.PLACED), (failed, State.PLACED), (cancelled, State.CANCELLING)]
)
def test_a_repeat_changes_nothing(database: Database, event: Event, at: State) -> None:
    order = an_order(database, at, revision=2)
    database.transact(follow, [event(order.id, 2)])
    before = rows(database, "SELECT * FROM orders"), rows(database, "SELECT * FROM order_steps")

    database.transact(follow, [event(order.id, 2), event(order.id, 2)])

    assert (rows(database, "SELECT * FROM orders"), rows(database, "SELECT * FROM order_steps")) == before


def test_an_event_twice_in_one_batch_is_stored_once(database: Database) -> None:
    order = an_order(database, State.PLACED)

    database.transact(follow, [fulfilled(order.id), fulfilled(order.id)])

    assert told_of(database, order.id) == ["taken", "try", "try", "fulfilled"]


def test_an_unknown_order_is_an_error_that_touches_no_other(database: Database) -> None:
    order = an_order(database, State.PLACED)

    with pytest.raises(UnknownOrder):
        database.transact(follow, [fulfilled(order.id), fulfilled(4711)])

    assert states(database) == {order.id: "placed"}


def test_a_batch_moves_each_order_by_its_own_event(database: Database) -> None:
    placed, other, cancelling, late = (
        an_order(database, state, revision=2)
        for state in (State.PLACED, State.PLACED, State.CANCELLING, State.CANCELLING)
    )

    database.transact(
        follow, [cancelled(cancelling.id), failed(other.id, 2), fulfilled(late.id, 2), fulfilled(placed.id, 2)]
    )

    assert [states(database)[order.id] for order in (placed, other, cancelling, late)] == [
        "fulfilled",
        "failed",
        "releasing",
        "fulfilled",
    ]


def test_stock_to_be_released_is_due_at_once_and_what_is_done_is_due_no_more(database: Database) -> None:
    cancelling, placed = an_order(database, State.CANCELLING, revision=2), an_order(database, State.PLACED)

    database.transact(follow, [cancelled(cancelling.id), fulfilled(placed.id)])

    assert (seconds_until_due(database, cancelling.id) or 0) <= 0
    assert seconds_until_due(database, placed.id) is None


def test_after_a_redrive_each_try_shows_once_in_the_timeline(database: Database) -> None:
    order = an_order(database, State.PLACED)
    database.transact(follow, [failed(order.id)])
    rows(database, "UPDATE orders SET state = 'placed', revision = 2")
    last = Try(
        number=3,
        worker="c" * 32,
        started_at=AT + timedelta(seconds=8),
        ended_at=AT + timedelta(seconds=9),
        result="fulfilled",
        reason=None,
    )

    database.transact(follow, [fulfilled(order.id, 2, [*TRIES, last])])

    steps = [
        step
        for step in database.transact(timeline, order.id, EVERYBODY)
        if step.at.year == AT.year and step.at.month == 1
    ]
    assert [(step.step, step.detail.get("number")) for step in steps if step.step != "reserved"] == [
        ("taken", None),
        ("try", 1),
        ("try", 2),
        ("failed", None),
        ("try", 3),
        ("fulfilled", None),
    ]


def test_a_try_keeps_its_own_times_and_reason(database: Database) -> None:
    order = an_order(database, State.PLACED)

    database.transact(follow, [fulfilled(order.id)])

    first, second = [step for step in database.transact(timeline, order.id, EVERYBODY) if step.step == "try"]
    assert first.at == AT
    assert first.detail == {
        "number": 1,
        "worker": "a" * 32,
        "ended_at": "2026-01-02T03:04:06.678901Z",
        "result": "failed",
        "reason": "paper",
    }
    assert (second.detail["result"], second.detail["ended_at"]) == ("lost", None)


def test_an_outcome_tells_in_its_own_step_nothing_of_those_before_it(database: Database) -> None:
    taken, never_taken = an_order(database, State.PLACED), an_order(database, State.CANCELLING, revision=2)
    overtaking = FulfilmentCancelled(
        type="FulfilmentCancelled",
        version=1,
        order_id=never_taken.id,
        revision=2,
        taken_at=None,
        decided_at=AT,
        tries=[],
    )

    database.transact(follow, [fulfilled(taken.id), overtaking])

    told = [
        {step.step: step.detail for step in database.transact(timeline, order.id, EVERYBODY) if step.step != "try"}
        for order in (taken, never_taken)
    ]
    placing: dict[str, object] = {"accepted": {}, "reserved": {}, "placed": {}}
    assert told == [placing | {"taken": {}, "fulfilled": {}}, placing | {"cancel_accepted": {}}]


def test_any_number_of_orders_costs_as_many_statements_as_one(database: Database) -> None:
    one, *many = [fulfilled(an_order(database, State.PLACED).id) for _ in range(50)]

    assert statements(database, follow, many) == statements(database, follow, [one])


def test_a_cancel_that_came_too_late_for_a_step_that_then_failed_leaves_the_order_to_a_person(
    database: Database,
) -> None:
    order = an_order(database, State.CANCELLING, revision=2)

    database.transact(follow, [failed(order.id, revision=2)])

    assert states(database) == {order.id: "failed"}
    assert seconds_until_due(database, order.id) is None


def test_what_happens_to_every_order_adds_no_row(database: Database) -> None:
    order = an_order(database, State.PLACED)

    database.transact(follow, [fulfilled(order.id)])

    assert rows(database, "SELECT COUNT(*) FROM order_steps") == [(0,)]


def test_orders_that_are_fulfilled_are_not_read_first(database: Database) -> None:
    placed, done = an_order(database, State.PLACED), an_order(database, State.FULFILLED)

    assert statements(database, follow, [fulfilled(placed.id)]) < statements(database, follow, [fulfilled(done.id)])
