"""The relay: outbox rows onto a Redis stream, at least once, with no transaction open while Redis is asked.

Claim and commit; send them all in one pipeline; then, once Redis has answered, remove the rows. A crash between the last two
sends an event twice, which its readers don't mind; removing first would lose it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis import asyncio as redis
from sqlalchemy import Connection, Table

from chassis import outbox as rows
from chassis.crash_points import crash_point
from chassis.database import Database
from chassis.outbox import Unsent
from chassis.streams import available
from contracts.streams import PAYLOAD_FIELD, Stream

log = logging.getLogger(__name__)

AT_ONCE = 500
# Long enough for a batch to gather: every transaction behind the relay, in both services, costs as much for one order as
# for fifty.
RELAY_PAUSE = 0.2


@dataclass(frozen=True)
class Sent:
    """An event that Redis took, and the id its stream entry got: `milliseconds-sequence` of Redis's clock."""

    order_id: int
    revision: int
    type: str
    entry_id: str


def _nothing(_connection: Connection, _sent: Sequence[Sent]) -> None: ...


@dataclass(frozen=True)
class Relay:
    """`on_sent` runs in the commit that removes the rows."""

    database: Database
    client: redis.Redis
    outbox: Table
    stream: Stream
    on_sent: Callable[[Connection, Sequence[Sent]], None] = _nothing

    async def relay(self) -> bool:
        """Send what waits, up to AT_ONCE. True if there may be more."""
        claimed = await self.database.run(rows.claim, self.outbox, AT_ONCE)
        if claimed:
            await self.database.run(self.remove_sent, claimed, await self._send(claimed))
        return len(claimed) == AT_ONCE

    async def _send(self, claimed: list[Unsent]) -> list[Sent]:
        async with self.client.pipeline(transaction=False) as pipe:
            for event in claimed:
                pipe.xadd(self.stream.name, {PAYLOAD_FIELD: event.payload})
            crash_point("relay.before_xadd")
            async with available():
                entry_ids = await pipe.execute()
        crash_point("relay.after_xadd")
        return [
            Sent(event.order_id, event.revision, event.type, id_.decode())
            for event, id_ in zip(claimed, entry_ids, strict=True)
        ]

    def remove_sent(self, connection: Connection, claimed: list[Unsent], sent: list[Sent]) -> None:
        if rows.remove(
            connection, self.outbox, [event.id for event in claimed]
        ):  # 0: this ran before, COMMIT's answer was lost
            self.on_sent(connection, sent)
