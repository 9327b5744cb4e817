"""Cancelling: fulfilment decides, under the row's lock, for every state there is."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from sqlalchemy import Connection

from chassis.database.transactions import Database
from contracts.events import OrderCancelled
from fulfilment.fulfil_orders import Failure, complete, fail, pass_point_of_no_return
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import State
from fulfilment.on_order_cancelled import cancel
from fulfilment.on_order_placed import take
from fulfilment.tests.factories import (
    ME,
    a_fulfilment,
    a_past_try,
    order_cancelled,
    order_placed,
    outbox_events,
    states,
    the_fulfilment,
    told,
    tries,
)
from fulfilment.worker import receive
from harness.threads import at_once


def cancel_all(database: Database, *events: OrderCancelled) -> set[int]:
    return database.transact(cancel, events)


def test_an_order_in_process_is_cancelled_and_its_try_remembered(database: Database) -> None:
    before = a_fulfilment(database, fence=2)
    a_past_try(database, fence=1, result="lost")

    cancelled = cancel_all(database, order_cancelled())

    assert cancelled == {1}
    assert the_fulfilment(database).state is State.CANCELLED
    [event] = outbox_events(database)
    assert (event["type"], event["revision"], event["taken_at"]) == ("FulfilmentCancelled", 2, before.taken_at)
    assert [(run["number"], run["result"]) for run in event["tries"]] == [(1, "lost"), (2, "cancelled")]
    assert event["tries"][1]["ended_at"] == event["decided_at"]


def test_a_failed_order_is_cancelled_without_another_try(database: Database) -> None:
    a_fulfilment(database, state=State.FAILED, fence=5)
    a_past_try(database, fence=5)

    cancelled = cancel_all(database, order_cancelled())

    assert cancelled == {1}
    assert told(database) == [("FulfilmentCancelled", 1, 2)]
    assert [fence for fence, _, _ in tries(database)] == [5]


def test_a_try_that_waits_out_its_backoff_when_the_cancel_comes_never_began(database: Database) -> None:
    held = a_fulfilment(database)
    database.transact(fail, Failure(held, "no paper"), 3)

    cancelled = cancel_all(database, order_cancelled())

    assert cancelled == {1}
    assert tries(database) == [(1, ME, "failed")]


def test_an_order_not_seen_yet_gets_a_tombstone_that_answers(database: Database) -> None:
    cancelled = cancel_all(database, order_cancelled(9))

    assert cancelled == {9}
    tombstone = the_fulfilment(database, 9)
    assert (tombstone.state, tombstone.owner, tombstone.revision) == (State.CANCELLED, None, 2)
    assert told(database) == [("FulfilmentCancelled", 9, 2)]


def test_a_cancel_that_overtook_the_announcement_is_not_fulfilled_after_it(database: Database) -> None:
    cancel_all(database, order_cancelled())

    taken = database.transact(take, [order_placed()], ME)

    assert taken == []
    assert states(database) == {1: "cancelled"}


def test_past_the_point_of_no_return_it_is_too_late_and_the_outcome_will_say_so(database: Database) -> None:
    held = a_fulfilment(database, state=State.COMMITTING)

    cancelled = cancel_all(database, order_cancelled())

    assert cancelled == set()
    assert told(database) == []
    [fulfilled] = database.transact(complete, [held])
    assert fulfilled
    assert told(database) == [("OrderFulfilled", 1, 2)], "an answer to the cancel, so of its revision"


def test_an_old_cancel_does_not_take_a_newer_revision_back(database: Database) -> None:
    a_fulfilment(database, state=State.FULFILLED, revision=5)

    cancel_all(database, order_cancelled(revision=2))

    assert the_fulfilment(database).revision == 5
    assert told(database) == [("OrderFulfilled", 1, 5)]


def test_a_fulfilled_order_answers_the_cancel_with_its_outcome(database: Database) -> None:
    before = a_fulfilment(database, state=State.FULFILLED)

    cancelled = cancel_all(database, order_cancelled())

    assert cancelled == set()
    [event] = outbox_events(database)
    assert (event["type"], event["revision"], event["decided_at"]) == ("OrderFulfilled", 2, before.decided_at)


def test_a_cancel_repeated_is_answered_again_and_changes_nothing(database: Database) -> None:
    a_fulfilment(database)
    cancel_all(database, order_cancelled())
    before = the_fulfilment(database)

    cancel_all(database, order_cancelled(), order_cancelled())

    assert the_fulfilment(database) == before
    first, again = outbox_events(database)
    assert first == again


def test_a_commit_whose_answer_was_lost_remembers_the_try_once(database: Database) -> None:
    a_fulfilment(database)

    cancel_all(database, order_cancelled())
    cancel_all(database, order_cancelled())

    assert tries(database) == [(1, ME, "cancelled")]


def test_a_cancel_in_the_same_batch_as_its_order_leaves_nothing_to_work_on(database: Database) -> None:
    taken, cancelled = database.transact(receive, [order_cancelled(1), order_placed(1), order_placed(2)], ME)

    assert cancelled == {1}
    assert {row.order_id for row in taken} - cancelled == {2}
    assert states(database) == {1: "cancelled", 2: "processing"}
    assert told(database) == [("FulfilmentCancelled", 1, 2)]


def test_a_batch_decides_each_order_by_its_own_state(database: Database) -> None:
    for order_id, state in enumerate(State, start=1):
        a_fulfilment(database, order_id, state)

    cancelled = cancel_all(database, *(order_cancelled(order_id) for order_id in range(8, 0, -1)))

    in_time = {State.PROCESSING, State.FAILED}
    assert cancelled == {order_id for order_id, state in enumerate(State, start=1) if state in in_time} | {7, 8}
    assert len(told(database)) == 7, "all but the one that is committing"
    assert {revision for _, _, revision in told(database)} == {2}


@pytest.mark.parametrize(("finish", "won"), [(complete, True), (pass_point_of_no_return, None)])
def test_a_cancel_and_a_completion_at_once_agree_on_one_outcome(
    database: Database, finish: Callable[[Connection, Sequence[Fulfilment]], list[object]], won: bool | None
) -> None:
    held = [a_fulfilment(database, order_id) for order_id in range(1, 31)]

    def cancel_backwards() -> set[int]:
        return cancel_all(database, *(order_cancelled(row.order_id) for row in held[::-1]))

    def finish_some(some: Sequence[Fulfilment]) -> set[int]:
        ends = database.transact(finish, some)
        return {row.order_id for row, end in zip(some, ends, strict=True) if end is won}

    work: list[Callable[[], set[int]]] = [partial(finish_some, held[n : n + 6]) for n in range(0, 30, 6)]
    cancelled, *finished = at_once([cancel_backwards, *work])

    assert cancelled.union(*finished) == set(range(1, 31))
    assert cancelled.isdisjoint(set().union(*finished))


def test_a_cancel_that_two_workers_see_first_at_once_makes_one_tombstone(database: Database) -> None:
    for order_id in range(1, 11):
        at_once([partial(cancel_all, database, order_cancelled(order_id))] * 2)

    assert states(database) == dict.fromkeys(range(1, 11), "cancelled")


def test_announcement_and_cancel_at_once_in_two_workers_end_cancelled_once(database: Database) -> None:
    for order_id in range(1, 21):
        at_once(
            [
                partial(database.transact, receive, [order_placed(order_id)], ME),
                partial(database.transact, receive, [order_cancelled(order_id)], "b" * 32),
            ]
        )

    assert set(states(database).values()) == {"cancelled"}
    assert {(type_, revision) for type_, _, revision in told(database)} == {("FulfilmentCancelled", 2)}


def test_a_person_may_cancel_by_force_what_failed_past_the_point_of_no_return(database: Database) -> None:
    given_up_past_the_point_of_no_return(database)

    cancelled = cancel_all(database, order_cancelled(forced=True))

    assert cancelled == {1}
    assert told(database)[-1] == ("FulfilmentCancelled", 1, 2)


def test_not_even_force_cancels_what_is_past_the_point_of_no_return_and_in_work(database: Database) -> None:
    a_fulfilment(database, state=State.COMMITTING)

    assert cancel_all(database, order_cancelled(forced=True)) == set()
    assert states(database) == {1: "committing"}


def given_up_past_the_point_of_no_return(database: Database) -> None:
    held = a_fulfilment(database)
    database.transact(pass_point_of_no_return, [held])
    database.transact(fail, Failure(held, "the carrier's answer was lost"), 1)


def test_what_may_have_been_shipped_is_not_cancelled_though_its_step_failed_for_the_last_time(
    database: Database,
) -> None:
    given_up_past_the_point_of_no_return(database)

    cancelled = cancel_all(database, order_cancelled())

    assert cancelled == set()
    assert told(database) == [("FulfilmentFailed", 1, 1), ("FulfilmentFailed", 1, 2)], (
        "the answer to the cancel is the second"
    )


def test_a_redrive_opens_no_door_for_a_cancel_of_what_may_have_been_shipped(database: Database) -> None:
    given_up_past_the_point_of_no_return(database)
    [redriven] = database.transact(take, [order_placed(revision=2)], ME)

    cancelled = cancel_all(database, order_cancelled(revision=3))

    assert cancelled == set()
    assert database.transact(complete, [redriven]) == [True]
