"""What a worker leaves behind when it dies is taken over once, and nothing else is."""

from functools import partial

import pytest
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.process import heartbeat
from fulfilment import take_over as take_over_module
from fulfilment.fulfil_orders import Failure, fail
from fulfilment.fulfilments import Fulfilment, lock
from fulfilment.model import IN_WORK, State, workers
from fulfilment.take_over import owned, still_owned, take_over
from fulfilment.tests.factories import ME, OTHER, a_fulfilment, a_worker, rows, the_fulfilment, tries
from harness.clocks import set_back
from harness.threads import at_once

GONE = "c" * 32


@pytest.mark.parametrize("state", sorted(IN_WORK))
def test_the_orders_of_a_dead_worker_are_taken_over_under_the_next_fence(database: Database, state: State) -> None:
    a_worker(database, OTHER, last_beat_seconds_ago=60)
    before = a_fulfilment(database, owner=OTHER, state=state, fence=4)

    [taken] = database.transact(take_over, ME)

    assert taken == the_fulfilment(database)
    assert (taken.owner, taken.fence, taken.state) == (ME, 5, state)
    assert taken.started_at is not None
    assert before.started_at is not None
    assert taken.started_at > before.started_at
    assert taken.taken_at == before.taken_at
    assert tries(database) == [(4, OTHER, "lost")]
    assert rows(database, "SELECT ended_at FROM past_tries") == [(None,)], "nobody knows when it ended"


def test_a_try_that_waited_out_its_backoff_when_the_worker_died_never_began(database: Database) -> None:
    held = a_fulfilment(database, owner=OTHER)
    database.transact(fail, Failure(held, "no paper"), 3)

    [taken] = database.transact(take_over, ME)

    assert taken.owner == ME
    assert tries(database) == [(1, OTHER, "failed")]


def test_a_worker_that_said_goodbye_is_gone_at_once(database: Database) -> None:
    a_worker(database, OTHER)
    a_fulfilment(database, owner=OTHER)
    database.transact(heartbeat.remove, workers, OTHER)

    assert len(database.transact(take_over, ME)) == 1


def test_a_living_worker_keeps_its_orders(database: Database) -> None:
    a_worker(database, OTHER, last_beat_seconds_ago=heartbeat.LEASE_SECONDS - 3)
    before = a_fulfilment(database, owner=OTHER)

    taken = database.transact(take_over, ME)

    assert taken == []
    assert the_fulfilment(database) == before


def test_a_worker_takes_nothing_over_from_itself(database: Database) -> None:
    before = a_fulfilment(database, owner=ME)

    assert database.transact(take_over, ME) == []
    assert the_fulfilment(database) == before


def test_what_is_decided_needs_no_worker(database: Database) -> None:
    before = [a_fulfilment(database, n, state, owner=OTHER) for n, state in enumerate(set(State) - IN_WORK, start=1)]

    assert database.transact(take_over, ME) == []
    assert [the_fulfilment(database, row.order_id) for row in before] == before


def test_two_workers_at_once_take_each_orphan_over_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_over_module, "ORPHANS", take_over_module.ORPHANS.limit(7))
    for order_id in range(1, 41):
        a_fulfilment(database, order_id, owner=GONE)
    for worker in (ME, OTHER):
        a_worker(database, worker)

    def take_all(owner: str) -> list[int]:
        taken = []
        while found := database.transact(take_over, owner):
            taken += [row.order_id for row in found]
        return taken

    ours, theirs = at_once([partial(take_all, ME), partial(take_all, OTHER)])

    left = take_all(ME)  # rows that both skipped because the other had them locked
    assert sorted(ours + theirs + left) == list(range(1, 41))
    assert rows(database, "SELECT DISTINCT fence FROM fulfilments") == [(2,)]
    assert rows(database, "SELECT COUNT(*) FROM past_tries") == [(40,)]


def test_an_orphan_that_somebody_has_locked_is_waited_for_by_nobody(database: Database) -> None:
    for order_id in (1, 2, 3):
        a_fulfilment(database, order_id, owner=GONE)

    def take_over_beside(connection: Connection) -> list[int]:
        lock(connection, [2])
        return [row.order_id for row in database.transact(take_over, ME)]

    assert database.transact(take_over_beside) == [1, 3]


def test_a_commit_whose_answer_was_lost_leaves_rows_that_their_owner_finds(database: Database) -> None:
    a_fulfilment(database, owner=GONE)
    a_fulfilment(database, 2, State.FULFILLED)
    database.transact(take_over, ME)

    again = database.transact(take_over, ME)

    assert again == []
    assert database.transact(owned, ME) == {1}
    assert [(row.order_id, row.fence) for row in database.transact(still_owned, ME, {1, 2, 3})] == [(1, 2)]


def test_of_those_missed_only_what_is_ours_and_in_work_even_now_is_given_back(database: Database) -> None:
    for order_id, state, owner in (
        (1, State.PROCESSING, ME),
        (2, State.PROCESSING, OTHER),
        (3, State.FULFILLED, ME),
        (4, State.COMMITTING, ME),
        (5, State.PROCESSING, ME),
    ):
        a_fulfilment(database, order_id, state, owner=owner)

    given_back = database.transact(still_owned, ME, {1, 2, 3, 4, 6})

    assert sorted(given_back, key=lambda row: row.order_id) == [the_fulfilment(database, id_) for id_ in (1, 4)]


def test_a_try_that_ran_is_kept_though_the_database_clock_was_set_back_since(database: Database) -> None:
    a_fulfilment(database, owner=OTHER)

    def take_over_an_hour_ago(connection: Connection) -> list[Fulfilment]:
        with set_back(connection, 3600):
            return take_over(connection, ME)

    assert len(database.transact(take_over_an_hour_ago)) == 1
    assert tries(database) == [(1, OTHER, "lost")]
