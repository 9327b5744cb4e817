"""A real server that tests may kill and start again, wherever it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import pymysql
from pymysql.constants import CLIENT

from local.mysql_server import grants
from local.secrets import Secrets

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
    secrets: Secrets
    _root: Connection | None = None
    _one_at_a_time: Lock = field(default_factory=Lock)

    def url(self, user: str, schema: str) -> str:
        return f"mysql+pymysql://{user}:{self.password(user)}@{HOST}:{self.port}/{schema}?ssl_disabled=true"

    def password(self, user: str) -> str:
        """That of one of ours, or of a test's own user, who is called as he is named."""
        return self.secrets.mysql_passwords().get(user, user)

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
        for script in grants(self.secrets.mysql_passwords()):
            self.execute(script)


@dataclass(frozen=True)
class RedisServer:
    """`url` is that of the user without a password, who may do everything."""

    engine: Engine
    port: int
    secrets: Secrets

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def url_of(self, service: str) -> str:
        password = self.secrets.value(f"{service.upper()}_REDIS_PASSWORD")
        return f"redis://{service}:{password}@{HOST}:{self.port}/0"


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
