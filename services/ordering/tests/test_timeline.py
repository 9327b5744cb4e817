"""One timeline per order, each step with the time it was stored with when it happened."""

from datetime import timedelta

import pytest

from chassis.database import Database
from chassis.relay import Sent
from ordering.cancel_order import cancel
from ordering.model import State
from ordering.note_announced import note_announced, sent_at
from ordering.release_stock import released
from ordering.tests.factories import a_pending_order, an_order
from ordering.timeline import timeline


def steps(database: Database, order_id: int) -> list[str]:
    return [step.step for step in database.transact(timeline, order_id)]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.PENDING, {"accepted"}),
        (State.PLACED, {"accepted", "reserved", "placed"}),
        (State.CANCELLED, {"accepted", "reserved", "placed"}),
        (State.REJECTED, {"accepted", "refused", "rejected"}),
    ],
)
def test_it_begins_with_what_placing_did(database: Database, state: State, expected: set[str]) -> None:
    order = an_order(database, state)

    assert set(steps(database, order.id)) == expected


def test_it_is_oldest_first_whatever_order_the_steps_were_stored_in(database: Database) -> None:
    order = an_order(database, State.PLACED)
    after = int(order.created_at.timestamp() * 1000) + 5000
    database.transact(note_announced, [Sent(order.id, 1, "OrderPlaced", f"{after + 100}-0")])
    database.transact(note_announced, [Sent(order.id, 1, "OrderPlaced", f"{after}-3")])

    told = database.transact(timeline, order.id)

    assert [step.at for step in told] == sorted(step.at for step in told)
    assert [step.at for step in told if step.step == "announced"] == [
        sent_at(f"{after}-3"),
        sent_at(f"{after + 100}-0"),
    ]


def test_an_order_announced_and_cancelled_in_the_same_millisecond_shows_both(database: Database) -> None:
    order = an_order(database, State.PLACED)

    database.transact(
        note_announced,
        [Sent(order.id, 1, "OrderPlaced", "1700000000000-0"), Sent(order.id, 1, "OrderCancelled", "1700000000000-1")],
    )

    announced = [step.detail["event"] for step in database.transact(timeline, order.id) if step.step == "announced"]
    assert announced == ["OrderPlaced", "OrderCancelled"]


def test_a_cancel_shows_when_it_was_asked_and_when_the_stock_came_back(database: Database) -> None:
    order = an_order(database, State.PLACED)
    database.transact(cancel, order.id)
    releasing = an_order(database, State.RELEASING)
    database.transact(released, [releasing.id])

    assert steps(database, order.id)[-1] == "cancel_requested"
    assert steps(database, releasing.id)[-1] == "stock_returned"


def test_an_entry_tells_its_time_to_the_millisecond() -> None:
    assert sent_at("1700000000123-7") - sent_at("1700000000000-0") == timedelta(milliseconds=123)


def test_every_time_says_its_zone(database: Database) -> None:
    order = a_pending_order(database)

    assert all(step.at.tzinfo is not None for step in database.transact(timeline, order.id))
