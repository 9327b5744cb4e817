"""What work costs the database, counted by the server: a driver may send one statement of many rows as many statements."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from sqlalchemy import Connection, text

from chassis.database import Database

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


def _asked(connection: Connection) -> int:
    return int(connection.execute(text("SHOW SESSION STATUS LIKE 'Questions'")).one()[1])
