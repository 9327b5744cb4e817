"""A real server that tests may kill and start again, wherever it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import pymysql
from pymysql.constants import CLIENT

from local.mysql_server import SCHEMAS

if TYPE_CHECKING:
    Connection = pymysql.Connection[pymysql.cursors.Cursor]
else:
    Connection = pymysql.Connection

HOST = "127.0.0.1"

# Quick, and still safe against kill -9: what a commit wrote is in the operating system's hands by then.
QUICK_MYSQL = ("--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0")


class Engine(Protocol):
    """Runs one server, which keeps its data and its port from one start to the next."""

    def start(self) -> None:
        """Return when the server answers."""

    def kill(self) -> None:
        """End it without a goodbye."""

    def remove(self) -> None:
        """Stop it for good."""


@dataclass
class MySQLServer:
    engine: Engine
    port: int
    connect: Callable[[], Connection]
    _root: Connection | None = None
    _one_at_a_time: Lock = field(default_factory=Lock)

    def url(self, user: str, schema: str) -> str:
        return f"mysql+pymysql://{user}:{user}@{HOST}:{self.port}/{schema}?ssl_disabled=true"

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        """Run SQL as root, one statement or several; returns the rows of the last that had any."""
        with self._one_at_a_time, self._as_root().cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall()) or rows
        return rows

    def _as_root(self) -> Connection:
        """One connection for all calls: making one takes longer than most of what is asked."""
        if self._root is None or not self._root.open or not _answers(self._root):
            self.close()
            self._root = self.connect()
            self._root.autocommit(True)
        return self._root

    def close(self) -> None:
        if self._root is not None and self._root.open:
            self._root.close()

    def grant(self) -> None:
        """Make our schemas and users."""
        for script in sorted(SCHEMAS.glob("*.sql")):
            self.execute(script.read_text())


@dataclass(frozen=True)
class RedisServer:
    engine: Engine
    port: int

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"


def _answers(connection: Connection) -> bool:
    try:
        connection.ping(reconnect=False)
    except pymysql.err.Error:
        return False
    return True


def connect_as_root(port: int, password: str) -> Connection:
    return pymysql.connect(
        host=HOST, port=port, user="root", password=password, client_flag=CLIENT.MULTI_STATEMENTS, connect_timeout=2
    )
