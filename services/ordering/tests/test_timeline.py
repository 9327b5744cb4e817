"""One timeline per order, each step with the time it was stored with when it happened."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY
from contracts.events import OrderFulfilled
from ordering.cancel_order import cancel
from ordering.model import State
from ordering.release_stock import released
from ordering.tests.factories import a_pending_order, an_order
from ordering.timeline import timeline
from ordering.worker import follow


def steps(database: Database, order_id: int) -> list[str]:
    return [step.step for step in database.transact(timeline, order_id, EVERYBODY)]


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


def test_it_is_oldest_first_and_tells_when_the_order_was_announced(database: Database) -> None:
    order = an_order(database, State.PLACED)
    at = datetime.now(UTC) + timedelta(seconds=5)
    event = OrderFulfilled(
        type="OrderFulfilled",
        version=1,
        order_id=order.id,
        revision=1,
        announced_at=at,
        taken_at=at + timedelta(seconds=1),
        decided_at=at + timedelta(seconds=2),
        worker="a" * 32,
    )
    database.transact(follow, [event])

    told = database.transact(timeline, order.id, EVERYBODY)

    assert [step.at for step in told] == sorted(step.at for step in told)
    assert [step.step for step in told][-4:] == ["announced", "taken", "try", "fulfilled"]
    assert told[-4].at == at
    assert told[-2].model_dump(mode="json") == {
        "step": "try",
        "at": written(at + timedelta(seconds=1)),
        "detail": {
            "number": 1,
            "worker": "a" * 32,
            "ended_at": written(at + timedelta(seconds=2)),
            "result": "fulfilled",
            "reason": None,
        },
    }


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def test_a_cancel_shows_when_it_was_asked_and_when_the_stock_came_back(database: Database) -> None:
    order = an_order(database, State.PLACED)
    database.transact(cancel, order.id, EVERYBODY)
    releasing = an_order(database, State.RELEASING)
    database.transact(released, [releasing.id])

    assert steps(database, order.id)[-1] == "cancel_requested"
    assert steps(database, releasing.id)[-1] == "stock_returned"


def test_every_time_says_its_zone(database: Database) -> None:
    order = a_pending_order(database)

    assert all(step.at.tzinfo is not None for step in database.transact(timeline, order.id, EVERYBODY))
