"""Trimming a stream: only below what every group that contracts name has acknowledged."""

import logging

from redis import asyncio as redis
from redis.exceptions import RedisError, ResponseError

from chassis.problems import Unavailable
from contracts.streams import Stream

log = logging.getLogger(__name__)


async def trim(client: redis.Redis, stream: Stream) -> None:
    """`XTRIM MAXLEN` would drop entries nobody has read. After a flush a group may be missing: then nothing is trimmed."""
    try:
        floor = await _acknowledged_below(client, stream)
        if floor is not None:
            await client.xtrim(stream.name, minid=floor, approximate=False)
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis is not available: {error}") from error


async def _acknowledged_below(client: redis.Redis, stream: Stream) -> str | None:
    try:
        groups = {group["name"].decode(): group for group in await client.xinfo_groups(stream.name)}
    except ResponseError:  # no such stream yet
        return None
    if not set(stream.groups) <= groups.keys():
        return None
    floors = []
    for name in stream.groups:
        pending = await client.xpending(stream.name, name)
        if pending["pending"]:
            floors.append(_parts(pending["min"]))
        else:
            milliseconds, sequence = _parts(groups[name]["last-delivered-id"])
            floors.append((milliseconds, sequence + 1))
    milliseconds, sequence = min(floors)
    return f"{milliseconds}-{sequence}"


def _parts(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.decode().partition("-")
    return int(milliseconds), int(sequence)
