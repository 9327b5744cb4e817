"""Who beats lives, by the database's clock alone."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, text

from chassis.database.transactions import Database
from chassis.problems import Unavailable
from chassis.process import heartbeat
from chassis.process.heartbeat import Heartbeat, alive, forget_dead, require_alive, workers_table
from harness.clocks import set_back

metadata = MetaData()
workers = workers_table(metadata)


@pytest.fixture(autouse=True)
def tables(create_tables: Callable[[MetaData], None]) -> None:
    create_tables(metadata)


def age(connection: Connection, seconds: int) -> None:
    """As if that long had passed."""
    connection.execute(workers.update().values(beat_at=text(f"beat_at - INTERVAL {seconds} SECOND")))


def known(connection: Connection) -> list[str]:
    return [row.id for row in connection.execute(workers.select())]


async def test_a_worker_that_beats_lives_and_is_gone_a_lease_after_its_last_beat(database: Database) -> None:
    worker = Heartbeat(database, workers, "host")
    await worker.beat()

    database.transact(age, heartbeat.LEASE_SECONDS - 5)
    still = database.transact(alive, workers)
    database.transact(age, 5)

    assert still == [worker.id]
    assert database.transact(alive, workers) == []


async def test_a_beat_brings_it_back_and_does_not_change_when_it_began(database: Database) -> None:
    worker = Heartbeat(database, workers, "host")
    await worker.beat()
    database.transact(age, 3600)

    await worker.beat()

    assert database.transact(alive, workers) == [worker.id]


async def test_a_worker_that_says_goodbye_is_gone_at_once(database: Database) -> None:
    staying, leaving = Heartbeat(database, workers, "host"), Heartbeat(database, workers, "host")
    await staying.beat()
    await leaving.beat()

    await leaving.end()

    assert database.transact(alive, workers) == [staying.id]


def test_a_restarted_worker_is_another_one(database: Database) -> None:
    assert Heartbeat(database, workers, "host").id != Heartbeat(database, workers, "host").id


async def test_a_worker_is_ready_only_while_others_take_it_for_alive(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Heartbeat(database, workers, "a host with a name of more than sixty-four characters, as some clouds give")

    with pytest.raises(Unavailable):
        await worker.check()
    await worker.beat()
    await worker.check()
    monkeypatch.setattr(heartbeat, "LEASE_SECONDS", 0)
    with pytest.raises(Unavailable):
        await worker.check()


async def test_somebody_must_be_alive_and_the_long_dead_are_forgotten(database: Database) -> None:
    await Heartbeat(database, workers, "host").beat()
    database.transact(require_alive, workers)
    database.transact(age, 3601)
    living = Heartbeat(database, workers, "host")
    await living.beat()

    database.transact(forget_dead, workers)

    assert database.transact(known) == [living.id]
    await living.end()
    with pytest.raises(Unavailable):
        database.transact(require_alive, workers)


async def test_a_beat_under_way_does_not_outlive_the_goodbye(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Heartbeat(database, workers, "host")
    may_go, real = threading.Event(), heartbeat.record

    def late(*arguments: Any) -> None:
        may_go.wait(10)
        real(*arguments)

    monkeypatch.setattr(heartbeat, "record", late)
    beating = asyncio.create_task(worker.beat())
    await asyncio.sleep(0.05)
    beating.cancel()  # its thread goes on

    ending = asyncio.create_task(worker.end())
    await asyncio.sleep(0.2)
    may_go.set()
    await ending

    database.close()  # once all its threads are done
    assert database.transact(known) == []


async def test_the_dead_do_not_live_on_because_the_database_clock_was_set_back(database: Database) -> None:
    worker = Heartbeat(database, workers, "host")
    await worker.beat()

    def alive_an_hour_ago(connection: Connection) -> list[str]:
        with set_back(connection, 3600):
            before = list(alive(connection, workers))
            heartbeat.record(connection, workers, worker.id, "host")
            return before + list(alive(connection, workers))

    assert database.transact(alive_an_hour_ago) == [worker.id], "only once it has beaten by the new clock"
