"""How far a consumer group has come in its stream."""

from dataclasses import dataclass
from typing import Any

from redis import asyncio as redis
from redis.exceptions import ResponseError

EntryId = tuple[int, int]  # milliseconds of Redis's clock, sequence number

BEGINNING: EntryId = (0, 0)


@dataclass(frozen=True)
class Position:
    """All entries below `floor` are acknowledged.

    `known` is False if there is no such group: after a flush, or before the first start.
    """

    known: bool
    floor: EntryId


async def position(client: redis.Redis, stream: str, group: str) -> Position:
    delivered = await _delivered(client, stream, group)
    if delivered is None:
        return Position(known=False, floor=BEGINNING)
    pending = await client.xpending(stream, group)
    if pending["pending"]:
        return Position(known=True, floor=parts(pending["min"]))
    milliseconds, sequence = delivered
    return Position(known=True, floor=(milliseconds, sequence + 1))


async def seconds_behind(client: redis.Redis, stream: str, group: str) -> float:
    """How long the oldest entry has waited that no consumer of the group was given yet. 0 without one, or without a group."""
    delivered = await _delivered(client, stream, group)
    if delivered is None:
        return 0.0
    milliseconds, sequence = delivered
    unread: Any = await client.xrange(stream, min=f"({milliseconds}-{sequence}", count=1)
    if not unread:
        return 0.0
    seconds, microseconds = await client.time()
    return float(seconds + microseconds / 1e6 - parts(unread[0][0])[0] / 1000)


async def _delivered(client: redis.Redis, stream: str, group: str) -> EntryId | None:
    """The last entry that the group was given. None if there is no such group."""
    try:
        groups = await client.xinfo_groups(stream)
    except ResponseError:  # no such stream
        return None
    return next((parts(found["last-delivered-id"]) for found in groups if found["name"] == group.encode()), None)


def parts(entry_id: str | bytes) -> EntryId:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence)
