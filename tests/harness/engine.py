"""A real server that tests may kill and start again, wherever it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pymysql
from pymysql.constants import CLIENT

from local.mysql_server import SCHEMAS

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


@dataclass(frozen=True)
class MySQLServer:
    engine: Engine
    port: int
    admin: Callable[[], "pymysql.Connection[pymysql.cursors.Cursor]"]

    def url(self, user: str, schema: str) -> str:
        return f"mysql+pymysql://{user}:{user}@{HOST}:{self.port}/{schema}"

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        """Run SQL as root, one statement or several; returns the rows of the last that had any."""
        with self.admin() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall()) or rows
            connection.commit()
        return rows

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


def connect_as_root(port: int, password: str) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(
        host=HOST, port=port, user="root", password=password, client_flag=CLIENT.MULTI_STATEMENTS, connect_timeout=2
    )
