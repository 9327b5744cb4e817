"""A stream is trimmed below what all its readers have acknowledged, and never above."""

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chassis.messaging.streams import ensure_group
from chassis.messaging.trim import trim
from chassis.problems import Unavailable
from contracts.streams import Stream
from harness.streams import entries
from local.processes import free_port

STREAM = Stream("letters", groups=("readers", "archivists"))


@pytest.fixture(autouse=True)
async def four_entries(redis_client: Redis) -> None:
    for group in STREAM.groups:
        await ensure_group(redis_client, STREAM.name, group)
    for n in range(1, 5):
        await redis_client.xadd(STREAM.name, {"n": str(n)}, id=f"{n}-0")


async def read(client: Redis, group: str, count: int, *, acknowledged: list[str]) -> None:
    await client.xreadgroup(group, "somebody", {STREAM.name: ">"}, count=count)
    for entry_id in acknowledged:
        await client.xack(STREAM.name, group, entry_id)


async def left(client: Redis) -> list[str]:
    return [entry_id for entry_id, _ in await entries(client, STREAM.name)]


async def test_what_all_have_acknowledged_goes(redis_client: Redis) -> None:
    for group in STREAM.groups:
        await read(redis_client, group, 3, acknowledged=["1-0", "2-0", "3-0"])

    await trim(redis_client, STREAM)

    assert await left(redis_client) == ["4-0"]


async def test_what_one_has_not_read_yet_stays(redis_client: Redis) -> None:
    await read(redis_client, "readers", 4, acknowledged=["1-0", "2-0", "3-0", "4-0"])
    await read(redis_client, "archivists", 1, acknowledged=["1-0"])

    await trim(redis_client, STREAM)

    assert await left(redis_client) == ["2-0", "3-0", "4-0"]


async def test_what_one_has_read_and_not_acknowledged_stays_with_all_that_follows(redis_client: Redis) -> None:
    await read(redis_client, "readers", 4, acknowledged=["1-0", "2-0", "3-0", "4-0"])
    await read(redis_client, "archivists", 4, acknowledged=["1-0", "3-0", "4-0"])

    await trim(redis_client, STREAM)

    assert await left(redis_client) == ["2-0", "3-0", "4-0"]


async def test_as_long_as_a_reader_named_in_contracts_has_no_group_nothing_goes(redis_client: Redis) -> None:
    await redis_client.xgroup_destroy(STREAM.name, "archivists")
    await read(redis_client, "readers", 4, acknowledged=["1-0", "2-0", "3-0", "4-0"])

    await trim(redis_client, STREAM)

    assert len(await left(redis_client)) == 4


async def test_a_stream_that_is_not_there_is_no_error(redis_client: Redis) -> None:
    await redis_client.flushall()

    await trim(redis_client, STREAM)

    assert await redis_client.exists(STREAM.name) == 0


async def test_without_redis_it_says_so() -> None:
    async with Redis(port=free_port(), retry=Retry(NoBackoff(), 0)) as nobody:
        with pytest.raises(Unavailable):
            await trim(nobody, STREAM)
