"""How far a consumer group has come in its stream."""

from dataclasses import dataclass

from redis import asyncio as redis
from redis.exceptions import ResponseError

EntryId = tuple[int, int]  # milliseconds of Redis's clock, sequence number

BEGINNING: EntryId = (0, 0)


@dataclass(frozen=True)
class Position:
    """All entries below `floor` are acknowledged; none above `end` were ever added, as far as Redis remembers.

    `known` is False if there is no such group: after a flush, or before the first start.
    """

    known: bool
    floor: EntryId
    end: EntryId

    def is_ahead(self, entry_id: str) -> bool:
        """Will the group come to this entry, or hold it unacknowledged? One beyond the end was lost with Redis's memory."""
        return self.floor <= parts(entry_id) <= self.end

    def has_passed(self, entry_id: str) -> bool:
        """The group had this entry and has acknowledged it."""
        return self.known and parts(entry_id) < self.floor


async def position(client: redis.Redis, stream: str, group: str) -> Position:
    end, delivered = await _progress(client, stream, group)
    if delivered is None:
        return Position(known=False, floor=BEGINNING, end=end)
    pending = await client.xpending(stream, group)
    if pending["pending"]:
        return Position(known=True, floor=parts(pending["min"]), end=end)
    milliseconds, sequence = delivered
    return Position(known=True, floor=(milliseconds, sequence + 1), end=end)


async def has_unread(client: redis.Redis, stream: str, group: str) -> bool:
    """Do entries wait that no consumer of the group was given yet?"""
    end, delivered = await _progress(client, stream, group)
    return delivered is not None and delivered < end


async def _progress(client: redis.Redis, stream: str, group: str) -> tuple[EntryId, EntryId | None]:
    """The last entry added, and the last that the group was given: None if there is no such group."""
    try:
        end = parts((await client.xinfo_stream(stream))["last-generated-id"])
        groups = await client.xinfo_groups(stream)
    except ResponseError:  # no such stream
        return BEGINNING, None
    delivered = {found["name"]: parts(found["last-delivered-id"]) for found in groups}
    return end, delivered.get(group.encode())


def parts(entry_id: str | bytes) -> EntryId:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence)
