"""A TCP link between two processes that can be cut, slowed down and healed.

Every process reaches every other one through a link of its own, so any two can be parted. A cut says what it hit: an
exchange counts as hit when it was really refused, held back, lost or delayed.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from faults.mysql_wire import Commands

HOST = "127.0.0.1"
CHUNK = 65536


class Cut(StrEnum):
    REFUSED = "refused"  # connections are reset, new ones refused
    BLACK_HOLE = "black hole"  # nothing passes, either way; when healed it arrives late
    REPLY_LOST = "reply lost"  # requests pass, their replies don't
    DELAY = "delay"
    COMMIT_LOST = "before COMMIT"  # MySQL never sees the COMMIT
    COMMIT_REPLY_LOST = "after COMMIT"  # MySQL commits, and nobody is told


ON_MYSQL = frozenset({Cut.COMMIT_LOST, Cut.COMMIT_REPLY_LOST})


@dataclass(eq=False)
class _Exchange:
    """One client's connection and ours to the server. `open` while a request waits for its reply."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    commands: Commands = field(default_factory=Commands)
    open: bool = False
    committing: bool = False

    def reset(self) -> None:
        for writer in (self.client, self.server):
            with contextlib.suppress(OSError):
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Link:
    """Clients connect to `port` and reach one of `targets`, the next when one refuses.

    `hits` counts the exchanges that cuts have hit since the link was made.
    """

    def __init__(self, name: str, *targets: int) -> None:
        self.name = name
        self.targets: Sequence[int] = targets
        self.port = 0
        self.hits = 0
        self._cut: Cut | None = None
        self._left: int | None = None
        self._delay = 0.0
        self._server: asyncio.Server | None = None
        self._exchanges: set[_Exchange] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self._at_commit: Callable[[], None] | None = None
        self._commits_pass = asyncio.Event()
        self._commits_pass.set()

    @property
    def is_mysql(self) -> bool:
        return self.name.endswith("mysql")

    @property
    def open_exchanges(self) -> int:
        return sum(exchange.open for exchange in self._exchanges)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accepted, HOST, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self, how: Cut, *, times: int | None = None, delay: float = 0.0) -> None:
        """Until healed, or until it has hit `times` exchanges. A black hole and a refusal last until healed."""
        self._cut, self._left, self._delay = how, times, delay
        if how is Cut.BLACK_HOLE:
            self._whole.clear()
            self.hits += self.open_exchanges
        if how is Cut.REFUSED:
            self._stop_listening()
            self.hits += len(self._exchanges)
            self._reset_all()

    async def hold_next_commit(self, within: float, then: Callable[[], None]) -> bool:
        """Keep the next COMMIT from MySQL, call `then` that moment, and keep it until healed. False if none came by."""
        held = asyncio.Event()
        self._commits_pass.clear()

        def hold() -> None:
            then()
            held.set()

        self._at_commit = hold
        try:
            async with asyncio.timeout(within):
                await held.wait()
        except TimeoutError:
            self._let_commits_pass()
            return False
        return True

    def _let_commits_pass(self) -> None:
        self._at_commit = None
        self._commits_pass.set()

    async def heal(self) -> None:
        self._cut = None
        self._let_commits_pass()
        self._whole.set()
        if self._server is None:
            await self.open()

    async def close(self) -> None:
        self._stop_listening()
        self._reset_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _reset_all(self) -> None:
        for exchange in list(self._exchanges):
            exchange.reset()

    def _strikes(self, how: Cut) -> bool:
        if self._cut is not how or self._left == 0:
            return False
        self.hits += 1
        if self._left is not None:
            self._left -= 1
        return True

    async def _accepted(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        reached = await self._reach()
        if reached is None:
            to_client.transport.abort()
            return
        from_server, to_server = reached
        exchange = _Exchange(to_client, to_server)
        self._exchanges.add(exchange)
        pumps = [
            asyncio.create_task(self._requests(exchange, from_client)),
            asyncio.create_task(self._replies(exchange, from_server)),
        ]
        self._tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        self._exchanges.discard(exchange)
        to_client.close()
        to_server.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._tasks.difference_update(pumps)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for target in random.sample(self.targets, len(self.targets)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(HOST, target)
        return None

    async def _requests(self, exchange: _Exchange, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                commit = self.is_mysql and exchange.commands.has_commit(data)
                await self._pass()
                if commit and self._at_commit is not None:
                    at_commit, self._at_commit = self._at_commit, None
                    at_commit()
                    await self._commits_pass.wait()
                if commit and self._strikes(Cut.COMMIT_LOST):
                    exchange.reset()
                    return
                exchange.open, exchange.committing = True, commit
                exchange.server.write(data)
                await exchange.server.drain()

    async def _replies(self, exchange: _Exchange, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._pass()
                if exchange.open and self._loses_reply(exchange):
                    exchange.reset()
                    return
                exchange.open = False
                exchange.client.write(data)
                await exchange.client.drain()

    def _loses_reply(self, exchange: _Exchange) -> bool:
        return self._strikes(Cut.REPLY_LOST) or (exchange.committing and self._strikes(Cut.COMMIT_REPLY_LOST))

    async def _pass(self) -> None:
        if not self._whole.is_set():
            self.hits += 1
            await self._whole.wait()
        if self._strikes(Cut.DELAY):
            await asyncio.sleep(self._delay)


@contextlib.contextmanager
def beside(link: Link) -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """The link open, on an event loop beside a test that blocks; what is given runs a coroutine there, to its end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)

    try:
        run(link.open())
        yield run
        run(link.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
