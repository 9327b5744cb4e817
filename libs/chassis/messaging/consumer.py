"""Reading a Redis stream for one consumer group: in batches, acknowledged last, healing by itself.

FastStream reads. What it doesn't do is done here: the group is created at 0 before the first read (its own default would
skip what was announced before the first start), entries are taken raw, so that one bad entry can't fail its batch, a
subscriber that ended because its group vanished is started again, and entries of consumers that died are taken over.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from faststream import AckPolicy
from faststream.redis import RedisBroker, StreamSub
from faststream.redis.message import FAKE_CONSUMER, BatchStreamMessage, RedisBatchStreamMessage
from redis import asyncio as redis
from sqlalchemy import Table

from chassis.database.transactions import Database
from chassis.messaging import dead_letters
from chassis.messaging.dead_letters import DeadLetter
from chassis.messaging.streams import available, ensure_group
from chassis.problems import Unavailable
from chassis.process.crash_points import crash_point
from chassis.process.loops import Loop, cancel
from contracts.batches import UnreadableEvent, part
from contracts.streams import PAYLOAD_FIELD, Stream

log = logging.getLogger(__name__)

AT_ONCE = 20  # entries, each of them the events of a commit
BLOCK_MILLISECONDS = 1000  # below the client's 5 s socket time-out
IDLE_BEFORE_TAKEOVER_MILLISECONDS = 15_000  # well above a batch's commit
FORGET_CONSUMER_AFTER_MILLISECONDS = 3_600_000
RETRY_SECONDS = 0.5

Entry = tuple[bytes, dict[bytes, bytes]]
E_ = TypeVar("E_")


@dataclass(frozen=True)
class Told(Generic[E_]):
    """An event, and where it stood: `number` from 0 on of `count` in its entry's batch."""

    event: E_
    entry: Entry
    number: int
    count: int


class Consumer(Generic[E_]):
    """Hands the events of `stream` to `handle`, in lists, and acknowledges an entry when all its events are dealt with.

    `handle` returns when it has durably taken over all it was given, and may see an event again. While it raises
    Unavailable the same list is tried again; if it raises anything else the list is halved, and an event that fails alone
    becomes a dead letter, as does one that `read` finds unreadable, or a whole entry that is no batch.
    """

    def __init__(
        self,
        *,
        broker: RedisBroker,
        client: redis.Redis,
        stream: Stream,
        group: str,
        read: Callable[[bytes, str], Sequence[E_ | UnreadableEvent]],
        handle: Callable[[list[E_]], Awaitable[None]],
        database: Database,
        letters: Table,
    ) -> None:
        assert group in stream.groups, "a reader is named in contracts first"
        self.stream = stream.name
        self.group = group
        self.name = uuid.uuid4().hex
        self._client = client
        self._read = read
        self._handle = handle
        self._database = database
        self._letters = letters
        self._broker = broker
        self._stopped = False
        self._subscriber = broker.subscriber(
            stream=StreamSub(
                stream.name,
                group=group,
                consumer=self.name,
                batch=True,
                max_records=AT_ONCE,
                polling_interval=BLOCK_MILLISECONDS,
            ),
            parser=self._as_it_came,
            decoder=_entries,
            ack_policy=AckPolicy.MANUAL,
        )
        self._subscriber(self.deal_with)

    @property
    def running(self) -> bool:
        """A ping would stay green after the group vanished; this does not."""
        return bool(self._subscriber.running)

    async def check(self) -> None:
        if not self.running:
            raise Unavailable(f"stream {self.stream} is not being read")

    def loops(self) -> list[Loop]:
        return [Loop(self._heal, 0.5), Loop(self._take_over_orphans, 5), Loop(self._forget_consumers, 600)]

    async def stop(self) -> None:
        """Read no more. What was read and isn't acknowledged yet goes to another consumer later."""
        self._stopped = True
        reading = list(self._subscriber.tasks)  # FastStream cancels them once and forgets them
        await self._subscriber.stop()
        await cancel(reading)

    async def _heal(self) -> None:
        if self.running or self._stopped:
            return
        async with available():
            await self._broker.connect()
            await ensure_group(self._client, self.stream, self.group)
            await self._subscriber.start()
        log.info("reading stream %s as group %s", self.stream, self.group)

    async def _take_over_orphans(self) -> bool:
        """Entries that a consumer read and never acknowledged."""
        if not self.running:
            return False
        async with available():
            _, entries, *_ = await self._client.xautoclaim(
                self.stream, self.group, self.name, IDLE_BEFORE_TAKEOVER_MILLISECONDS, count=AT_ONCE
            )
        if entries:
            log.warning("took over %d entries of stream %s that nobody acknowledged", len(entries), self.stream)
            await self.deal_with(entries)
        return len(entries) == AT_ONCE

    async def _forget_consumers(self) -> None:
        """Every boot reads under a new name; drop old names, but never one with pending entries: they would go with it."""
        if not self.running:
            return
        async with available():
            for consumer in await self._client.xinfo_consumers(self.stream, self.group):
                if consumer["pending"] == 0 and consumer["idle"] > FORGET_CONSUMER_AFTER_MILLISECONDS:
                    await self._client.xgroup_delconsumer(self.stream, self.group, consumer["name"])

    async def _as_it_came(self, message: BatchStreamMessage) -> RedisBatchStreamMessage:
        """FastStream's own parser fails the whole batch on one body that isn't UTF-8."""
        return RedisBatchStreamMessage(raw_message=message, body=b"", consumer=FAKE_CONSUMER, group=self.group)

    async def deal_with(self, entries: Sequence[Entry]) -> None:
        """Handle or bury each entry, then acknowledge them in one call. What can't even be buried stays in the stream."""
        told: list[Told[E_]] = []
        left: set[bytes] = set()  # entries of which something can't even be buried
        for entry in entries:
            try:
                events = self._read(entry[1].get(PAYLOAD_FIELD, b""), entry[0].decode())
            except UnreadableEvent as error:
                left |= await self._bury(_whole(self.stream, entry, f"unreadable: {error}"), entry)
                continue
            for index, event in enumerate(events):
                if isinstance(event, UnreadableEvent):
                    letter = _of_part(self.stream, Told(event, entry, index, len(events)), f"unreadable: {event}")
                    left |= await self._bury(letter, entry)
                else:
                    told.append(Told(event, entry, index, len(events)))
        left |= await self._settle(told)
        done = [entry_id for entry_id, _ in entries if entry_id not in left]
        if done:
            crash_point("consumer.before_ack")
            await self._client.xack(self.stream, self.group, *done)
            crash_point("consumer.after_ack")

    async def _settle(self, told: list[Told[E_]]) -> set[bytes]:
        """The ids of the entries that are not dealt with."""
        left: set[bytes] = set()
        while told:
            try:
                await self._handle([one.event for one in told])
            except Unavailable as error:
                log.warning("stream %s waits: %s", self.stream, error.detail)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:
                if len(told) == 1:
                    log.exception("an event of entry %s of stream %s failed", told[0].entry[0], self.stream)
                    letter = _of_part(self.stream, told[0], f"{type(error).__name__}: {error}")
                    return left | await self._bury(letter, told[0].entry)
                middle = len(told) // 2
                left |= await self._settle(told[:middle])
                told = told[middle:]
            else:
                return left
        return left

    async def _bury(self, letter: DeadLetter, entry: Entry) -> set[bytes]:
        """The entry's id, if that can't be done."""
        while True:
            try:
                await self._database.run(dead_letters.bury, self._letters, letter)
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("entry %s of stream %s can't be buried; it is tried again", letter.entry_id, self.stream)
                return {entry[0]}
            else:
                log.error("entry %s of stream %s is a dead letter: %s", letter.entry_id, self.stream, letter.reason)
                return set()


def _whole(stream: str, entry: Entry, reason: str) -> DeadLetter:
    return DeadLetter(stream, entry[0].decode(), entry[1], reason)


def _of_part(stream: str, told: Told[Any], reason: str) -> DeadLetter:
    """An event that isn't alone in its entry gets its number in it, and is kept as a batch of its own."""
    if told.count == 1:
        return _whole(stream, told.entry, reason)
    entry_id, fields = told.entry
    return DeadLetter(
        stream, f"{entry_id.decode()}#{told.number}", {PAYLOAD_FIELD: part(fields[PAYLOAD_FIELD], told.number)}, reason
    )


async def _entries(message: RedisBatchStreamMessage) -> list[Entry]:
    raw = message.raw_message
    return list(zip(raw["message_ids"], raw["data"], strict=True))
