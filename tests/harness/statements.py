"""What work costs the database, counted by the server: a driver may send one statement of many rows as many statements."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from sqlalchemy import Connection, text

from chassis.database.transactions import Database
from harness.engine import MySQLServer

P = ParamSpec("P")


def statements(
    database: Database, work: Callable[Concatenate[Connection, P], Any], *args: P.args, **kwargs: P.kwargs
) -> int:
    """How many the server is sent while `work` runs."""

    def counted(connection: Connection) -> int:
        before = _asked(connection)
        work(connection, *args, **kwargs)
        return _asked(connection) - before - 1  # the second count is a statement too

    return database.transact(counted)


def deadlocks(server: MySQLServer) -> int:
    """How many the server has met since it started. Who meets one runs its transaction again, and nobody else notices."""
    [(count,)] = server.execute("SELECT `count` FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'")
    return int(str(count))


def _asked(connection: Connection) -> int:
    return int(connection.execute(text("SHOW SESSION STATUS LIKE 'Questions'")).one()[1])
