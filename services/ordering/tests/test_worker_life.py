"""A worker as a whole process sees it: from its start to its end, as the users of its service."""

from sqlalchemy import select

from chassis.database.transactions import Database
from harness.engine import RedisServer
from harness.schemas import Schema
from ordering import worker
from ordering.model import workers
from ordering.settings import Settings


async def test_a_worker_that_is_told_to_stop_says_that_it_is_going(
    database: Database, ordering_schema: Schema, redis_server: RedisServer, redis_url: str
) -> None:
    settings = Settings(
        database_url=ordering_schema.url,
        redis_url=redis_server.url_of("ordering"),
        catalog_url="http://127.0.0.1:1",
        fulfilment_url="http://127.0.0.1:1",
        catalog_token="none",
        operator_tokens=("none",),
        connections=2,
    )
    app = worker.build(settings)

    async with app.router.lifespan_context(app):
        while_it_runs = await database.run(lambda connection: connection.execute(select(workers.c.id)).all())
    after = await database.run(lambda connection: connection.execute(select(workers.c.id)).all())

    assert len(while_it_runs) == 1
    assert after == []
