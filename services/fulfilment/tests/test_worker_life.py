"""A worker from its start to its end, as the process runs it."""

from sqlalchemy import select

from chassis.database import Database
from fulfilment import worker
from fulfilment.model import workers
from fulfilment.settings import Settings
from harness.schemas import Schema


async def test_a_worker_that_is_told_to_stop_says_that_it_is_going(
    database: Database, fulfilment_schema: Schema, redis_url: str
) -> None:
    app = worker.build(Settings(database_url=fulfilment_schema.url, redis_url=redis_url, service_token="none"))

    async with app.router.lifespan_context(app):
        while_it_runs = await database.run(lambda connection: connection.execute(select(workers.c.id)).all())
    after = await database.run(lambda connection: connection.execute(select(workers.c.id)).all())

    assert len(while_it_runs) == 1
    assert after == []
