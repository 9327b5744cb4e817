"""The relay: batches of the outbox onto a Redis stream, at least once, with no transaction open while Redis is asked.

Claim and commit, then send all in one pipeline. What needs no answer is removed once Redis has taken it; a crash in between
sends it twice, which its readers don't mind. What needs one stays until it has come, and is sent again when it is due.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis import asyncio as redis
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.messaging.outbox import Batch, Outbox
from chassis.messaging.positions import seconds_behind
from chassis.messaging.streams import available
from chassis.process.crash_points import crash_point
from chassis.process.loops import Loop
from contracts.streams import PAYLOAD_FIELD, Stream

AT_ONCE = 50
BEHIND_SECONDS = 5.0
# Long enough for a batch to gather: every transaction behind the relay, in both services, costs as much for one order as
# for fifty.
RELAY_PAUSE = 0.2
REMIND_PAUSE = 1.0

# The ids of those batches that nobody need be told of any more.
Answered = Callable[[Connection, Sequence[Batch]], list[int]]


@dataclass(frozen=True)
class Relay:
    """With `answered` a batch stays until all that it tells of is answered; without, until Redis has taken it."""

    database: Database
    client: redis.Redis
    outbox: Outbox
    stream: Stream
    answered: Answered | None = None

    def loops(self) -> list[Loop]:
        return [Loop(self.relay, RELAY_PAUSE), Loop(self.remind, REMIND_PAUSE)]

    async def relay(self) -> bool:
        """Send what is new, up to AT_ONCE. True if there may be more."""
        claimed = await self.database.run(self.outbox.claim_new, AT_ONCE)
        await self._send(claimed)
        return len(claimed) == AT_ONCE

    async def remind(self) -> bool:
        """Send again what is due and not answered. A reader that is behind would be none the faster for being told more."""
        if await self._is_reader_behind():
            return False
        due = await self.database.run(self.outbox.claim_due, AT_ONCE)
        if due:
            done = await self.database.run(self.remove_answered, due)
            await self._send([batch for batch in due if batch.id not in done])
        return len(due) == AT_ONCE

    async def _is_reader_behind(self) -> bool:
        async with available():
            behind = [await seconds_behind(self.client, self.stream.name, group) for group in self.stream.groups]
        return max(behind) > BEHIND_SECONDS

    async def _send(self, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        async with self.client.pipeline(transaction=False) as pipe:
            for batch in batches:
                pipe.xadd(self.stream.name, {PAYLOAD_FIELD: batch.payload})
            crash_point("relay.before_xadd")
            async with available():
                await pipe.execute()
        crash_point("relay.after_xadd")
        if self.answered is None:
            await self.database.run(self.remove_sent, batches)

    def remove_sent(self, connection: Connection, batches: Sequence[Batch]) -> None:
        self.outbox.remove(connection, [batch.id for batch in batches])

    def remove_answered(self, connection: Connection, batches: Sequence[Batch]) -> list[int]:
        """Returns the ids of those removed."""
        done = [] if self.answered is None else self.answered(connection, batches)
        if done:
            self.outbox.remove(connection, done)
        return done
