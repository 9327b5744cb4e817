"""Transactions on MySQL: the only place that commits.

Work is a plain function of a connection. It runs in READ COMMITTED, is committed when it returns and rolled back when it
raises. On a deadlock, a lock wait time-out or a lost connection the whole of it runs again, so **work must be safe to
run twice**: the connection may die inside COMMIT, and then nobody knows whether the first run counted. In practice: look up
by a unique key before inserting, and move rows only from the state they are expected in.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from copy import copy
from itertools import count
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import orjson
import pymysql
from sqlalchemy import Connection, Engine, TextClause, create_engine, event, exc, text
from sqlalchemy.pool import ConnectionPoolEntry

from chassis.problems import Unavailable
from chassis.process.crash_points import commit_point

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 5
RETRY_FOR_SECONDS = 5.0
LOCK_WAIT_SECONDS = 2
IO_TIMEOUT_SECONDS = 4
IDLE_TIMEOUT_SECONDS = 10
PING_AFTER_IDLE_SECONDS = 0.1
CONNECTIONS_ASIDE = 2  # of a process, beside those for its main work: for lists and proofs, which may take their time

# Without backslash escapes PyMySQL has one character to escape, and does it ten times as fast in JSON.
MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_BACKSLASH_ESCAPES"

# Of a frozen client MySQL keeps the row locks until wait_timeout, 8 hours by default. 1205 must be shorter than the
# read time-out: a lock wait that the client gives up on would go on in the server.
SESSION = (
    f"SET SESSION wait_timeout = {IDLE_TIMEOUT_SECONDS}, innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, "
    f"time_zone = '+00:00', sql_mode = '{MODE}'"
)

DUPLICATE_KEY = 1062
LOCKED = frozenset({1205, 3572})  # waited in vain; MySQL: not waited, by NOWAIT
RETRIED = frozenset(
    {
        DUPLICATE_KEY,  # a twin committed first; the next run finds its row
        1205,  # lock wait time-out: InnoDB undid the statement only, so the transaction must go
        1213,  # deadlock
        1020,  # MariaDB: record has changed since last read
        1040,  # too many connections
        1053,  # server shutdown in progress
        1927,  # MariaDB: connection was killed
        2002,
        2003,  # can't connect
        2006,
        2013,  # server has gone away, lost connection: perhaps inside COMMIT
        2014,  # out of sync after a broken read
        4031,  # MySQL closed an idle connection
    }
)


class Locked(Unavailable):
    """Somebody else keeps a lock for longer than is waited. Nothing of the transaction counts."""

    def __init__(self) -> None:
        super().__init__("Something that is needed is locked")


@contextmanager
def telling_locks() -> Iterator[None]:
    """A lock that can't be had inside is Locked, for work that knows how to go on without it, and isn't run again."""
    try:
        yield
    except exc.DBAPIError as error:
        if _code(error) not in LOCKED:
            raise
        raise Locked from error


class Database:
    """One pool of connections and as many threads, so a thread never waits for a connection."""

    def __init__(self, url: str, *, connections: int = 4) -> None:
        self._engine = create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_size=connections,
            max_overflow=0,
            pool_use_lifo=True,
            pool_reset_on_return=None,  # `transact` has ended the transaction; a ROLLBACK more would be a round trip more
            hide_parameters=True,  # errors are logged, and parameters are what clients sent
            json_serializer=_json,
            json_deserializer=orjson.loads,
            connect_args={
                "init_command": SESSION,
                "connect_timeout": 2,
                "read_timeout": IO_TIMEOUT_SECONDS,
                "write_timeout": IO_TIMEOUT_SECONDS,
                "charset": "utf8mb4",
            },
        )
        _ping_the_idle(self._engine)
        self._isolation: TextClause | None = None
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="database")

    def isolated(self, level: Literal["READ UNCOMMITTED", "REPEATABLE READ"]) -> "Database":
        """The same connections and threads, with transactions of another isolation level. Only the original is closed."""
        other = copy(self)
        other._isolation = text(f"SET TRANSACTION ISOLATION LEVEL {level}")  # of the next one only
        return other

    async def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`transact` in a thread of the pool, where the caller's request is known. Cancelling him doesn't stop it."""
        loop, context = asyncio.get_running_loop(), copy_context()
        return await loop.run_in_executor(self._threads, context.run, lambda: self.transact(work, *args, **kwargs))

    def transact(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in one transaction, again and whole if it must be. Raises Unavailable when the database is away."""
        name = getattr(work, "__name__", "work")
        give_up_at = time.monotonic() + RETRY_FOR_SECONDS
        for attempt in count(1):
            try:
                with self._engine.begin() as connection:
                    if self._isolation is not None:
                        connection.execute(self._isolation)
                    result = work(connection, *args, **kwargs)
                    commit_point(f"{name}.before_commit", result)
            except exc.DBAPIError as error:
                if not _may_run_again(error):
                    raise
                log.warning("transaction %s, try %d: %s", name, attempt, _reason(error))
                if attempt == ATTEMPTS or time.monotonic() > give_up_at:
                    raise Unavailable("The database is not available") from error
            else:
                commit_point(f"{name}.after_commit", result)
                return result
            time.sleep(random.uniform(0.5, 1.0) * 0.02 * 2**attempt)  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    async def ping(self) -> None:
        await self.run(lambda connection: connection.execute(text("SELECT 1")).close())

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._engine.dispose()


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _ping_the_idle(engine: Engine) -> None:
    """A connection that lay unused may be closed by now. One in use is not asked: `pool_pre_ping` would, every time."""

    @event.listens_for(engine, "checkin")
    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("idle_since", math.inf) > PING_AFTER_IDLE_SECONDS:
            try:
                connection.ping(reconnect=False)
            except (pymysql.Error, OSError) as error:
                raise exc.DisconnectionError from error


def _may_run_again(error: exc.DBAPIError) -> bool:
    if isinstance(error, exc.InterfaceError):
        return True
    return error.connection_invalidated or _code(error) in RETRIED


def _code(error: exc.DBAPIError) -> int:
    return error.orig.args[0] if error.orig is not None and error.orig.args else 0


def _reason(error: exc.DBAPIError) -> str:
    return str(error.orig).splitlines()[0][:200]
