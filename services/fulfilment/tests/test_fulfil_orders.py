"""What a try writes counts only while the row still carries it."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Connection

from chassis.database.transactions import Database
from fulfilment.fulfil_orders import (
    Failure,
    Lost,
    backoff_seconds,
    complete,
    fail,
    pass_point_of_no_return,
    reason_of,
)
from fulfilment.model import IN_WORK, LONGEST_BACKOFF_SECONDS, REASON_LENGTH, State
from fulfilment.on_order_cancelled import cancel
from fulfilment.take_over import take_over
from fulfilment.tests.factories import (
    ME,
    OTHER,
    a_fulfilment,
    a_past_try,
    a_worker,
    order_cancelled,
    outbox_events,
    rows,
    states,
    the_fulfilment,
    told,
    tries,
)
from harness.engine import MySQLServer
from harness.statements import statements
from harness.threads import at_once


@pytest.mark.parametrize("state", sorted(IN_WORK))
def test_an_order_still_held_is_fulfilled_and_told_in_one_commit(database: Database, state: State) -> None:
    held = a_fulfilment(database, state=state)

    assert database.transact(complete, [held]) == [True]

    done = the_fulfilment(database)
    [event] = outbox_events(database)
    assert done.state is State.FULFILLED
    assert event["type"] == "OrderFulfilled"
    assert (event["order_id"], event["decided_at"]) == (1, done.decided_at)
    assert (event["worker"], event["taken_at"]) == (ME, held.started_at)
    assert "tries" not in event


def test_a_paused_worker_that_wakes_after_the_takeover_completes_nothing(database: Database) -> None:
    held = a_fulfilment(database, owner=OTHER)
    database.transact(take_over, ME)

    assert database.transact(complete, [held]) == [False]

    assert states(database) == {1: "processing"}
    assert told(database) == []


@pytest.mark.parametrize(("owner", "fence"), [(OTHER, 1), (ME, 2)])
def test_no_write_of_an_overtaken_try_counts(database: Database, owner: str, fence: int) -> None:
    held = a_fulfilment(database)
    rows(database, "UPDATE fulfilments SET owner = :owner, fence = :fence", owner=owner, fence=fence)
    before = the_fulfilment(database)

    completed = database.transact(complete, [held])
    [passed] = database.transact(pass_point_of_no_return, [held])
    following = database.transact(fail, Failure(held, "late"), 1)

    assert (completed, following) == ([False], None)
    assert isinstance(passed, Lost)
    assert the_fulfilment(database) == before
    assert (told(database), tries(database)) == ([], [])


def test_a_batch_completes_exactly_those_still_held(database: Database, mysql_server: MySQLServer) -> None:
    held = [a_fulfilment(database, order_id) for order_id in range(1, 7)]
    rows(database, "UPDATE fulfilments SET fence = 2 WHERE order_id = 2")
    rows(database, "UPDATE fulfilments SET owner = :other WHERE order_id = 3", other=OTHER)
    rows(database, "UPDATE fulfilments SET state = 'cancelled', decided_at = NOW(6) WHERE order_id = 4")
    mysql_server.execute("DELETE FROM fulfilment.fulfilments WHERE order_id = 5")

    done = database.transact(complete, [held[5], *held[:5]])

    assert done == [True, True, False, False, False, False]
    assert told(database) == [("OrderFulfilled", 1, 1), ("OrderFulfilled", 6, 1)]
    assert states(database) == {1: "fulfilled", 2: "processing", 3: "processing", 4: "cancelled", 6: "fulfilled"}


def test_a_completion_whose_commit_lost_its_answer_counts_once_and_still_says_so(database: Database) -> None:
    held = a_fulfilment(database)

    database.transact(complete, [held])
    again = database.transact(complete, [held])

    assert again == [True]
    assert told(database) == [("OrderFulfilled", 1, 1)]


def test_a_crash_between_the_completion_and_its_event_leaves_neither(database: Database) -> None:
    held = a_fulfilment(database)

    def crash(connection: Connection) -> None:
        complete(connection, [held])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.transact(crash)

    assert the_fulfilment(database) == held
    assert told(database) == []


def test_two_that_complete_the_same_try_at_once_tell_it_once(database: Database) -> None:
    held = [a_fulfilment(database, order_id) for order_id in range(1, 31)]

    at_once([partial(database.transact, complete, held), partial(database.transact, complete, held[::-1])])

    assert sorted(order_id for _, order_id, _ in told(database)) == list(range(1, 31))


def test_the_outcome_carries_every_try_oldest_first(database: Database) -> None:
    held = a_fulfilment(database, fence=3)
    a_past_try(database, fence=2, result="lost")
    a_past_try(database, fence=1, result="failed")

    database.transact(complete, [held])

    [event] = outbox_events(database)
    assert [(run["number"], run["result"]) for run in event["tries"]] == [(1, "failed"), (2, "lost"), (3, "fulfilled")]


def test_the_tries_of_a_batch_go_with_their_own_orders(database: Database) -> None:
    held = [a_fulfilment(database, order_id, fence=order_id) for order_id in (1, 2, 3)]
    for order_id, fence in ((2, 1), (3, 1), (3, 2)):
        a_past_try(database, order_id, fence)

    database.transact(complete, held)

    assert [(event["order_id"], len(event.get("tries", ()))) for event in outbox_events(database)] == [
        (1, 0),
        (2, 2),
        (3, 3),
    ]


def test_the_point_of_no_return_is_passed_once_and_again_after_a_lost_answer(database: Database) -> None:
    held = a_fulfilment(database)

    assert database.transact(pass_point_of_no_return, [held]) == [None]
    assert database.transact(pass_point_of_no_return, [held]) == [None]

    assert states(database) == {1: "committing"}


def test_the_point_of_no_return_is_closed_to_what_is_decided(database: Database) -> None:
    held = [a_fulfilment(database, n, state) for n, state in enumerate(set(State) - IN_WORK, start=1)]

    answers = database.transact(pass_point_of_no_return, held)

    assert [type(answer) for answer in answers] == [Lost] * len(held)
    assert [the_fulfilment(database, row.order_id) for row in held] == held


def test_who_completes_while_another_cancels_waits_and_then_completes_nothing(database: Database) -> None:
    held = a_fulfilment(database)

    def cancel_and_complete(connection: Connection) -> "Future[list[bool]]":
        cancel(connection, [order_cancelled()])
        other = threads.submit(database.transact, complete, [held])
        with pytest.raises(TimeoutError):
            other.result(0.3)
        return other

    with ThreadPoolExecutor(1) as threads:
        completed = database.transact(cancel_and_complete).result()

    assert completed == [False]
    assert states(database) == {1: "cancelled"}
    assert told(database) == [("FulfilmentCancelled", 1, 2)]


@pytest.mark.parametrize("state", sorted(IN_WORK))
def test_a_failure_is_counted_remembered_and_tried_again_under_the_next_fence(database: Database, state: State) -> None:
    held = a_fulfilment(database, state=state)

    following = database.transact(fail, Failure(held, "no paper"), 3)

    assert following == the_fulfilment(database)
    assert following is not None
    assert (following.state, following.failures, following.fence, following.reason) == (state, 1, 2, "no paper")
    assert following.started_at is not None
    assert held.started_at is not None
    assert following.started_at > held.started_at
    assert tries(database) == [(1, ME, "failed")]
    assert told(database) == []


def test_the_last_failure_gives_up_and_tells_with_every_try(database: Database) -> None:
    held = a_fulfilment(database, fence=3, failures=2)
    a_past_try(database, fence=1)
    a_past_try(database, fence=2)

    assert database.transact(fail, Failure(held, "no paper"), 3) is None

    given_up = the_fulfilment(database)
    assert (given_up.state, given_up.failures, given_up.reason) == (State.FAILED, 3, "no paper")
    [event] = outbox_events(database)
    assert (event["type"], event["revision"], event["decided_at"]) == ("FulfilmentFailed", 1, given_up.decided_at)
    assert [(run["number"], run["result"], run["reason"]) for run in event["tries"]] == [
        (1, "failed", "a reason"),
        (2, "failed", "a reason"),
        (3, "failed", "no paper"),
    ]


@pytest.mark.parametrize("failures", [0, 2])
def test_a_failure_whose_commit_lost_its_answer_is_counted_once(database: Database, failures: int) -> None:
    failure = Failure(a_fulfilment(database, failures=failures), "no paper")
    database.transact(fail, failure, 3)
    before = the_fulfilment(database)

    assert database.transact(fail, failure, 3) is None

    assert the_fulfilment(database) == before
    assert len(tries(database)) == 1
    assert len(told(database)) == (1 if failures == 2 else 0)


@pytest.mark.parametrize("complaint", ["x" * 5000, "💥" * REASON_LENGTH, "lone \ud800 surrogate", "NUL \0", ""])
def test_whatever_a_step_complains_of_counts_as_a_failure_and_is_stored(database: Database, complaint: str) -> None:
    held = a_fulfilment(database)

    database.transact(fail, Failure(held, reason_of(ValueError(complaint))), 1)

    [event] = outbox_events(database)
    assert event["type"] == "FulfilmentFailed"
    assert event["reason"].startswith("ValueError")
    assert the_fulfilment(database).reason == event["reason"]


def test_a_cancelled_order_can_not_fail(database: Database) -> None:
    held = a_fulfilment(database, state=State.CANCELLED)

    assert database.transact(fail, Failure(held, "late"), 1) is None

    assert the_fulfilment(database) == held
    assert told(database) == []


def test_a_crash_does_not_count_as_a_failure(database: Database) -> None:
    a_fulfilment(database, owner=OTHER, failures=2)
    a_worker(database, ME)

    [taken] = database.transact(take_over, ME)

    assert (taken.failures, taken.fence, taken.state) == (2, 2, State.PROCESSING)


def test_pauses_grow_up_to_a_bound() -> None:
    pauses = [backoff_seconds(failures) for failures in range(1, 12)]

    assert pauses == sorted(pauses)
    assert pauses[0] == 1
    assert pauses[-1] == LONGEST_BACKOFF_SECONDS


def test_any_number_of_orders_costs_as_many_statements_as_one(database: Database) -> None:
    one, *many = [a_fulfilment(database, order_id) for order_id in range(1, 51)]

    assert statements(database, complete, many) == statements(database, complete, [one])


def test_a_cancel_that_came_too_late_is_answered_by_the_outcome_at_its_revision(database: Database) -> None:
    held = [a_fulfilment(database, order_id, State.COMMITTING) for order_id in (1, 2)]
    database.transact(cancel, [order_cancelled(1, revision=2)])

    assert database.transact(complete, held) == [True, True]

    assert sorted(told(database)) == [("OrderFulfilled", 1, 2), ("OrderFulfilled", 2, 1)]
    assert states(database) == {1: "fulfilled", 2: "fulfilled"}


def test_orders_that_are_held_as_they_were_taken_are_not_read_again(database: Database) -> None:
    held, raised = a_fulfilment(database, 1), a_fulfilment(database, 2)
    rows(database, "UPDATE fulfilments SET revision = 2 WHERE order_id = 2")

    assert statements(database, complete, [held]) < statements(database, complete, [raised])
