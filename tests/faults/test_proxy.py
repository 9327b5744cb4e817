"""The links cut what they say they cut: on a real server, before the COMMIT nothing is kept, after it everything is."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pymysql
import pytest

from faults.mysql_wire import Commands
from faults.proxy import HOST, Cut, Link, beside
from harness.engine import MySQLServer
from harness.schemas import Schema

COMMIT = b"\x07\x00\x00\x00\x03COMMIT"
SELECT = b"\x09\x00\x00\x00\x03SELECT 1"


def test_a_commit_is_seen_on_the_wire() -> None:
    assert Commands().has_commit(COMMIT)
    assert Commands().has_commit(SELECT + COMMIT)
    assert not Commands().has_commit(SELECT)


def test_a_commit_is_seen_in_pieces() -> None:
    commands = Commands()

    assert [commands.has_commit(bytes([byte])) for byte in COMMIT] == [False] * (len(COMMIT) - 1) + [True]


def test_a_commit_inside_another_statement_is_none() -> None:
    text = b"\x03INSERT INTO t VALUES ('COMMIT')"

    assert not Commands().has_commit(len(text).to_bytes(3, "little") + b"\x00" + text)


class Bench:
    """A table, and a link to its server."""

    def __init__(self, schema: Schema, server: MySQLServer, link: Link) -> None:
        self.schema, self.server, self.link = schema, server, link
        self.server.execute("CREATE TABLE scratch.kept (n INT)")

    def connect(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        name = self.schema.name
        return pymysql.connect(
            host=HOST,
            port=self.link.port,
            user=name,
            password=name,
            database=name,
            read_timeout=2,
            connect_timeout=2,
            ssl_disabled=True,  # the proxy reads what crosses the wire
        )

    def insert(self) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES (1)")
            connection.commit()

    def kept(self) -> int:
        return len(self.server.execute("SELECT n FROM scratch.kept"))


Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def link(mysql_server: MySQLServer) -> Link:
    return Link("test to mysql", mysql_server.port)


@pytest.fixture
def run(link: Link) -> Iterator[Run]:
    with beside(link) as run:
        yield run


@pytest.fixture
def bench(scratch_schema: Schema, mysql_server: MySQLServer, link: Link) -> Bench:
    return Bench(scratch_schema, mysql_server, link)


@pytest.mark.usefixtures("run")
def test_a_whole_link_passes_everything(bench: Bench) -> None:
    bench.insert()

    assert bench.kept() == 1


@pytest.mark.parametrize(("cut", "kept"), [(Cut.COMMIT_LOST, 0), (Cut.COMMIT_REPLY_LOST, 1)])
def test_cut_before_commit_nothing_is_kept_and_after_it_everything(
    bench: Bench, link: Link, run: Run, cut: Cut, kept: int
) -> None:
    run(link.cut(cut, times=1))

    with pytest.raises(pymysql.err.OperationalError):
        bench.insert()

    assert link.hits == 1
    assert bench.kept() == kept


def test_a_cut_that_has_hit_its_number_lets_the_next_pass(bench: Bench, link: Link, run: Run) -> None:
    run(link.cut(Cut.COMMIT_LOST, times=1))

    with pytest.raises(pymysql.err.OperationalError):
        bench.insert()
    bench.insert()

    assert bench.kept() == 1


def test_a_black_hole_delivers_late_what_its_client_gave_up(bench: Bench, link: Link, run: Run) -> None:
    connection = bench.connect()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES (1)")
    run(link.cut(Cut.BLACK_HOLE))

    with pytest.raises(pymysql.err.OperationalError):
        connection.commit()
    assert bench.kept() == 0
    run(link.heal())

    ends = threading.Event()
    for _ in range(100):
        if bench.kept() == 1:
            break
        ends.wait(0.02)
    assert bench.kept() == 1


@contextlib.asynccontextmanager
async def echoing() -> AsyncIterator[Link]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    link = Link("test to echo", server.sockets[0].getsockname()[1])
    await link.open()
    try:
        yield link
    finally:
        await link.close()
        server.close()


async def _ask(link: Link, word: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    try:
        writer.write(word)
        return await asyncio.wait_for(reader.read(100), 1)
    finally:
        writer.transport.abort()


async def test_a_refused_link_lets_nobody_in_until_it_is_healed_on_the_same_port() -> None:
    async with echoing() as link:
        port = link.port
        await link.cut(Cut.REFUSED)

        with pytest.raises(ConnectionRefusedError):
            await _ask(link, b"hello")

        await link.heal()
        assert link.port == port
        assert await _ask(link, b"hello") == b"hello"


async def test_a_lost_reply_resets_the_connection() -> None:
    async with echoing() as link:
        await link.cut(Cut.REPLY_LOST, times=1)

        with pytest.raises(ConnectionResetError):
            await _ask(link, b"hello")

        assert link.hits == 1


async def test_a_delay_only_delays() -> None:
    async with echoing() as link:
        await link.cut(Cut.DELAY, delay=0.05)

        assert await _ask(link, b"hello") == b"hello"

        assert link.hits == 2
