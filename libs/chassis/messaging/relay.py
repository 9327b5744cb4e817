"""The relay: batches of the outbox onto a Redis stream, at least once, with no transaction open while Redis is asked.

Claim and commit, then send all in one pipeline. What needs no answer is removed once Redis has taken it; a crash in between
sends it twice, which its readers don't mind. What needs one stays until it has come: a batch that is due again *is* the
reminder.
"""

import logging
from dataclasses import dataclass, field

from redis import asyncio as redis
from sqlalchemy import Connection, Table

from chassis.database.transactions import Database
from chassis.messaging import outbox as rows
from chassis.messaging.outbox import Batch, Unanswered
from chassis.messaging.positions import seconds_behind
from chassis.messaging.streams import available
from chassis.process.crash_points import crash_point
from contracts.streams import PAYLOAD_FIELD, Stream

log = logging.getLogger(__name__)

AT_ONCE = 50
DUE_AT_ONCE = 1000
AWAY_SECONDS = 5.0
ONE_IN = 5  # of the times when a batch is due is used even then: a batch may wait because it was never sent
# Long enough for a batch to gather: every transaction behind the relay, in both services, costs as much for one order as
# for fifty.
RELAY_PAUSE = 0.2


@dataclass
class Relay:
    """With `unanswered` batches stay until nothing of them is left in its answer.

    While a reader is away they are hardly sent again, which would help nobody. When it is back they have as much time as
    new ones.
    """

    database: Database
    client: redis.Redis
    outbox: Table
    stream: Stream
    unanswered: Unanswered | None = None
    _reader_away: bool = field(default=False, init=False)

    async def relay(self) -> bool:
        """Send what is due, up to AT_ONCE. True if there may be more."""
        claimed = await self.database.run(rows.claim, self.outbox, AT_ONCE, self.unanswered)
        sending = await self._without_vain_repeats(claimed)
        if sending:
            await self._send(sending)
            if self.unanswered is None:
                await self.database.run(self.remove_sent, sending)
        return len(claimed) == AT_ONCE

    async def _without_vain_repeats(self, claimed: list[Batch]) -> list[Batch]:
        again = sum(batch.sent > 0 for batch in claimed)
        if not again and not self._reader_away:
            return claimed
        was_away, self._reader_away = self._reader_away, await self._is_reader_away()
        if self._reader_away:
            return [batch for batch in claimed if batch.sent % ONE_IN == 0]
        if was_away:
            await self._begin_anew()
            return [batch for batch in claimed if not batch.sent]
        log.warning("sending %d batches again to stream %s", again, self.stream.name)
        return claimed

    async def _is_reader_away(self) -> bool:
        async with available():
            behind = [await seconds_behind(self.client, self.stream.name, group) for group in self.stream.groups]
        return max(behind) > AWAY_SECONDS

    async def _begin_anew(self) -> None:
        """What was put off for long while the reader was away is looked at soon."""
        log.info("stream %s is read again", self.stream.name)
        last, soon = 0, rows.AGAIN_AFTER_SECONDS
        while ids := await self.database.run(rows.put_due, self.outbox, last, DUE_AT_ONCE, seconds=soon, sent=1):
            last = ids[-1]

    async def _send(self, claimed: list[Batch]) -> None:
        async with self.client.pipeline(transaction=False) as pipe:
            for batch in claimed:
                pipe.xadd(self.stream.name, {PAYLOAD_FIELD: batch.payload})
            crash_point("relay.before_xadd")
            async with available():
                await pipe.execute()
        crash_point("relay.after_xadd")

    def remove_sent(self, connection: Connection, claimed: list[Batch]) -> None:
        rows.remove(connection, self.outbox, [batch.id for batch in claimed])
