"""Redis as the services use it: how to reach it, and what is meant by its being away."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from faststream.redis import RedisBroker
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from chassis.problems import Unavailable


def connection_options() -> dict[str, Any]:
    """With the client's defaults acknowledgements were lost over a Redis restart; with these none were."""
    return {
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), 10),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
        "socket_connect_timeout": 2,
    }


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, **connection_options())


def broker(url: str) -> RedisBroker:
    """Bodies are parsed by us, so FastStream needn't look at types; its own chatter stays out of the log."""
    return RedisBroker(url, apply_types=False, logger=logging.getLogger("chassis.faststream"), **connection_options())


async def ensure_group(client: redis.Redis, stream: str, group: str) -> None:
    try:
        await client.xgroup_create(stream, group, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Whatever goes wrong with Redis inside is Unavailable."""
    try:
        yield
    except (RedisError, OSError, TimeoutError, RuntimeError) as error:  # uvloop: of a connection that was just closed
        raise Unavailable(f"Redis is not available: {error}") from error


async def check(client: redis.Redis) -> None:
    async with available():
        await client.ping()
