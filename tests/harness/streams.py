"""What is on a Redis stream, for tests."""

from typing import Any

from redis.asyncio import Redis


async def entries(client: Redis, stream: str) -> list[tuple[str, dict[bytes, bytes]]]:
    """Ids and fields, oldest first. The client's own types name every shape an answer could have in any mode."""
    found: Any = await client.xrange(stream)
    return [(entry_id.decode(), fields) for entry_id, fields in found]


async def pending(client: Redis, stream: str, group: str) -> int:
    """How many entries the group has read and not acknowledged."""
    found: Any = await client.xpending(stream, group)
    return int(found["pending"])
