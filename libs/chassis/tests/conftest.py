from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from redis.asyncio import Redis
from sqlalchemy import MetaData, create_engine

from chassis.database.transactions import Database
from chassis.messaging import streams
from harness.schemas import Schema


@pytest.fixture
def database(scratch_schema: Schema) -> Iterator[Database]:
    database = Database(scratch_schema.url)
    yield database
    database.close()


@pytest.fixture
def create_tables(scratch_schema: Schema) -> Callable[[MetaData], None]:
    def create(metadata: MetaData) -> None:
        engine = create_engine(scratch_schema.url)
        metadata.create_all(engine)
        engine.dispose()

    return create


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    async with streams.connect(redis_url) as client:
        yield client
