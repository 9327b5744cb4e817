"""The id of the request that placed an order goes with it: from its event into its row and its outcome."""

from chassis.database.transactions import Database
from fulfilment.fulfil_orders import complete
from fulfilment.on_order_cancelled import cancel
from fulfilment.on_order_placed import take
from fulfilment.tests.factories import ME, order_cancelled, order_placed, outbox_events, the_fulfilment


def test_an_order_is_taken_and_told_with_its_request(database: Database) -> None:
    named, nameless = order_placed(1), order_placed(2)
    named["request_id"] = "r-1"

    taken = database.transact(take, [named, nameless], ME)
    database.transact(complete, taken)

    assert [the_fulfilment(database, order_id).request_id for order_id in (1, 2)] == ["r-1", None]
    assert [event.get("request_id", "unsaid") for event in outbox_events(database)] == ["r-1", "unsaid"]


def test_a_cancel_that_comes_first_leaves_it_as_well(database: Database) -> None:
    event = order_cancelled(1)
    event["request_id"] = "r-1"

    database.transact(cancel, [event])

    assert the_fulfilment(database).request_id == "r-1"
    assert [event["request_id"] for event in outbox_events(database)] == ["r-1"]
