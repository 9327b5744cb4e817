"""A worker from its start to its end, as the process runs it."""

import asyncio

from sqlalchemy import select

from chassis.database.transactions import Database
from fulfilment import worker
from fulfilment.model import workers
from fulfilment.settings import Settings
from fulfilment.tests.factories import OTHER, a_worker, rows
from harness.engine import RedisServer
from harness.schemas import Schema


async def test_a_worker_that_is_told_to_stop_says_that_it_is_going(
    database: Database, fulfilment_schema: Schema, redis_server: RedisServer, redis_url: str
) -> None:
    url = redis_server.url_of("fulfilment")
    app = worker.build(Settings(database_url=fulfilment_schema.url, redis_url=url, operator_tokens=("none",)))

    async with app.router.lifespan_context(app):
        while_it_runs = await database.run(lambda connection: connection.execute(select(workers.c.id)).all())
    after = await database.run(lambda connection: connection.execute(select(workers.c.id)).all())

    assert len(while_it_runs) == 1
    assert after == []


async def test_a_worker_forgets_those_that_ended_long_ago(
    database: Database, fulfilment_schema: Schema, redis_server: RedisServer, redis_url: str
) -> None:
    a_worker(database, OTHER, last_beat_seconds_ago=7200)
    url = redis_server.url_of("fulfilment")
    app = worker.build(Settings(database_url=fulfilment_schema.url, redis_url=url, operator_tokens=("none",)))

    async with app.router.lifespan_context(app), asyncio.timeout(10):
        while (OTHER,) in rows(database, "SELECT id FROM workers"):
            await asyncio.sleep(0.05)
