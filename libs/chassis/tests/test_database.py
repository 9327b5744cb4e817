"""A transaction is whole or absent, however often the server makes it start again."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest
from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, MetaData, Table, exc, select, text

from chassis.database import transactions as chassis_database
from chassis.database.transactions import PING_AFTER_IDLE_SECONDS, Database
from chassis.problems import Unavailable
from faults.proxy import Cut, Link, beside
from harness.engine import MySQLServer
from harness.schemas import Schema
from harness.statements import deadlocks

metadata = MetaData()
accounts = Table(
    "accounts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    CheckConstraint("amount >= 0", name="not_negative"),
)


@pytest.fixture(autouse=True)
def tables(create_tables: Callable[[MetaData], None], database: Database) -> None:
    create_tables(metadata)
    database.transact(add, 1, 100)
    database.transact(add, 2, 100)


def add(connection: Connection, id_: int, amount: int) -> None:
    connection.execute(accounts.insert().values(id=id_, amount=amount))


def change(connection: Connection, id_: int, by: int) -> None:
    connection.execute(accounts.update().where(accounts.c.id == id_).values(amount=accounts.c.amount + by))


def amounts(connection: Connection) -> dict[int, int]:
    return {row.id: row.amount for row in connection.execute(select(accounts))}


def one_value(connection: Connection, sql: str) -> object:
    return connection.execute(text(sql)).scalar_one()


def test_two_transactions_that_deadlock_both_come_through(database: Database, mysql_server: MySQLServer) -> None:
    both_hold_one = threading.Barrier(2)
    runs: list[int] = []
    before = deadlocks(mysql_server)

    def move(connection: Connection, source: int, target: int) -> None:
        first_time = source not in runs
        runs.append(source)
        change(connection, source, -10)
        if first_time:
            both_hold_one.wait(10)
        change(connection, target, 10)

    with ThreadPoolExecutor(2) as threads:
        pairs = ((1, 2), (2, 1))
        done = [threads.submit(lambda pair: database.transact(move, *pair), pair) for pair in pairs]
        for transaction in done:
            transaction.result()

    assert len(runs) > 2
    assert deadlocks(mysql_server) > before, "other tests count on this count"
    assert database.transact(amounts) == {1: 100, 2: 100}


def test_after_a_lock_wait_time_out_nothing_half_done_is_kept(
    scratch_schema: Schema, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        chassis_database, "SESSION", chassis_database.SESSION.replace("lock_wait_timeout = 2", "lock_wait_timeout = 1")
    )
    impatient = Database(scratch_schema.url)
    holding, timed_out, runs = threading.Event(), threading.Event(), []

    def hold(connection: Connection) -> None:
        change(connection, 2, 1)
        holding.set()
        timed_out.wait(10)

    def move(connection: Connection) -> None:
        runs.append(1)
        if len(runs) == 2:
            timed_out.set()
        change(connection, 1, -10)
        change(connection, 2, 10)

    with ThreadPoolExecutor(1) as threads:
        holder = threads.submit(database.transact, hold)
        holding.wait(10)
        impatient.transact(move)
        holder.result()
    impatient.close()

    assert len(runs) >= 2
    assert database.transact(amounts) == {1: 90, 2: 111}


def test_a_connection_killed_in_mid_transaction_costs_nothing(mysql_server: MySQLServer, database: Database) -> None:
    runs: list[int] = []

    def move(connection: Connection) -> None:
        runs.append(1)
        change(connection, 1, -10)
        if len(runs) == 1:
            mysql_server.execute(f"KILL {one_value(connection, 'SELECT CONNECTION_ID()')}")
        change(connection, 2, 10)

    database.transact(move)

    assert len(runs) == 2
    assert database.transact(amounts) == {1: 90, 2: 110}


@pytest.mark.parametrize("cut", [Cut.COMMIT_LOST, Cut.COMMIT_REPLY_LOST])
def test_a_connection_cut_inside_commit_leaves_the_work_done_once(
    cut: Cut, mysql_server: MySQLServer, scratch_schema: Schema, database: Database
) -> None:
    runs: list[int] = []

    def open_account(connection: Connection) -> None:
        runs.append(1)
        if connection.execute(select(accounts).where(accounts.c.id == 3)).one_or_none() is None:
            add(connection, 3, 100)
            change(connection, 1, -100)

    link = Link("test to mysql", mysql_server.port)
    with beside(link) as run:
        url = scratch_schema.url.replace(f":{mysql_server.port}", f":{link.port}")
        shaky = Database(f"{url}?ssl_disabled=true")
        shaky.transact(amounts)  # SQLAlchemy commits once while it connects
        run(link.cut(cut, times=1))
        shaky.transact(open_account)
        shaky.close()

    assert link.hits == 1
    assert len(runs) > 1
    assert database.transact(amounts) == {1: 0, 2: 100, 3: 100}


@pytest.fixture
def counted() -> Iterator[list[int]]:
    """A list that work appends to each time it runs; whatever is the matter, once must be enough."""
    runs: list[int] = []
    yield runs
    assert len(runs) == 1


def test_a_broken_rule_is_raised_at_once_and_nothing_is_kept(database: Database, counted: list[int]) -> None:
    def overdraw(connection: Connection) -> None:
        counted.append(1)
        change(connection, 1, 10)
        change(connection, 2, -101)

    with pytest.raises(exc.DBAPIError):
        database.transact(overdraw)

    assert database.transact(amounts) == {1: 100, 2: 100}


def test_wrong_sql_is_raised_at_once(database: Database, counted: list[int]) -> None:
    def misspell(connection: Connection) -> None:
        counted.append(1)
        connection.execute(text("SELEKT 1"))

    with pytest.raises(exc.ProgrammingError):
        database.transact(misspell)


def test_an_exception_of_the_work_itself_rolls_back(database: Database, counted: list[int]) -> None:
    def change_ones_mind(connection: Connection) -> None:
        counted.append(1)
        change(connection, 1, 10)
        raise LookupError("no such shelf")

    with pytest.raises(LookupError):
        database.transact(change_ones_mind)

    assert database.transact(amounts) == {1: 100, 2: 100}


def test_a_key_that_is_taken_is_tried_again_and_then_given_up(database: Database) -> None:
    runs: list[int] = []

    def open_account(connection: Connection) -> None:
        runs.append(1)
        add(connection, 1, 0)

    with pytest.raises(Unavailable):
        database.transact(open_account)

    assert len(runs) == chassis_database.ATTEMPTS


def test_a_transaction_sees_what_others_commit_meanwhile(database: Database) -> None:
    def look_twice(connection: Connection) -> tuple[int, int]:
        before = amounts(connection)[1]
        with ThreadPoolExecutor(1) as threads:
            threads.submit(database.transact, change, 1, 5).result()
        return before, amounts(connection)[1]

    assert database.transact(look_twice) == (100, 105)


def test_the_server_lets_go_of_a_frozen_client_and_keeps_time_in_utc(database: Database) -> None:
    def session(connection: Connection) -> list[object]:
        names = ("wait_timeout", "innodb_lock_wait_timeout", "time_zone")
        return [one_value(connection, f"SELECT @@{name}") for name in names]

    assert database.transact(session) == [10, 2, "+00:00"]


def test_text_too_long_is_refused_not_cut_off(database: Database) -> None:
    def too_much(connection: Connection) -> None:
        connection.execute(text("UPDATE accounts SET amount = 9999999999999999999999"))

    with pytest.raises(exc.DBAPIError):
        database.transact(too_much)


def test_connections_that_died_in_the_pool_are_replaced_unnoticed(
    mysql_server: MySQLServer, database: Database, counted: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    idle = database.transact(one_value, "SELECT CONNECTION_ID()")
    mysql_server.execute(f"KILL {idle}")
    time.sleep(PING_AFTER_IDLE_SECONDS)

    def look(connection: Connection) -> int:
        counted.append(1)
        return amounts(connection)[1]

    assert database.transact(look) == 100
    assert caplog.messages == []


def test_only_a_connection_that_lay_unused_is_asked_whether_it_lives(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings: list[bool] = []
    monkeypatch.setattr(pymysql.connections.Connection, "ping", lambda _connection, reconnect: pings.append(reconnect))
    monkeypatch.setattr(chassis_database, "PING_AFTER_IDLE_SECONDS", 60)
    for _ in range(3):
        database.transact(amounts)
    asked_while_in_use = len(pings)

    monkeypatch.setattr(chassis_database, "PING_AFTER_IDLE_SECONDS", 0)
    database.transact(amounts)

    assert asked_while_in_use == 0
    assert pings == [False]


def test_a_transaction_is_ended_once(database: Database) -> None:
    """A connection that goes back to the pool was committed or rolled back; to roll it back again asks the server in vain."""

    def rolled_back(connection: Connection) -> int:
        return int(connection.execute(text("SHOW SESSION STATUS LIKE 'Com_rollback'")).one()[1])

    before = database.transact(rolled_back)
    for _ in range(3):
        database.transact(amounts)

    assert database.transact(rolled_back) == before


def test_a_database_that_is_away_is_unavailable(database: Database) -> None:
    nowhere = Database("mysql+pymysql://nobody:nothing@127.0.0.1:1/nothing")

    with pytest.raises(Unavailable):
        nowhere.transact(amounts)

    nowhere.close()


async def test_a_caller_that_goes_away_does_not_stop_the_transaction(database: Database) -> None:
    started, may_go = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        change(connection, 1, 5)
        started.set()
        may_go.wait(10)

    call = asyncio.create_task(database.run(slowly))
    await asyncio.to_thread(started.wait, 10)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    may_go.set()
    database.close()

    assert call.cancelled()
    assert database.transact(amounts)[1] == 105


def test_an_error_does_not_tell_what_was_sent(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("SELECT id FROM nowhere WHERE id = :id"), {"id": "what was sent"})

    with pytest.raises(exc.DBAPIError) as caught:
        database.transact(fail)

    assert "nowhere" in str(caught.value)
    assert "what was sent" not in str(caught.value)
