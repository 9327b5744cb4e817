"""A worker's life, the same for every service: it beats, runs its loops, reads its stream, and leaves in good order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from faststream.redis import RedisBroker
from redis import asyncio as redis

from chassis.database.transactions import Database
from chassis.messaging.consumer import Consumer
from chassis.problems import Unavailable
from chassis.process.heartbeat import BEAT_SECONDS, FORGET_SECONDS, Heartbeat
from chassis.process.loops import Loop, running
from chassis.web.access import Access
from chassis.web.app import create_app


def create_worker(
    title: str,
    *,
    database: Database,
    client: redis.Redis,
    broker: RedisBroker,
    heartbeat: Heartbeat,
    consumer: Consumer[Any],
    loops: Sequence[Loop],
    stop: Callable[[], Awaitable[None]],
) -> FastAPI:
    """`stop` ends what the service itself holds, once no loop runs any more and before others may take over."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with suppress(Unavailable):  # the loop goes on trying
            await heartbeat.beat()
        of_all = [Loop(heartbeat.beat, BEAT_SECONDS), Loop(heartbeat.forget_dead, FORGET_SECONDS)]
        async with running([*of_all, *loops, *consumer.loops()]):
            yield
        await consumer.stop()  # after its loops: one of them starts it
        await stop()
        await heartbeat.end()
        await broker.stop()
        await client.aclose()
        database.close()

    checks = {"heartbeat": heartbeat.check, "subscriber": consumer.check}
    return create_app(title, lifespan, checks, Access({}))
