"""Trimming a stream: only below what every group that contracts name has acknowledged."""

from redis import asyncio as redis

from chassis.messaging.positions import position
from chassis.messaging.streams import available
from contracts.streams import Stream


async def trim(client: redis.Redis, stream: Stream) -> None:
    """`XTRIM MAXLEN` would drop entries nobody has read. After a flush a group may be missing: then nothing is trimmed."""
    async with available():
        groups = [await position(client, stream.name, group) for group in stream.groups]
        if all(group.known for group in groups):
            milliseconds, sequence = min(group.floor for group in groups)
            await client.xtrim(stream.name, minid=f"{milliseconds}-{sequence}", approximate=False)
