from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from redis.asyncio import Redis

from chassis.database import Database
from harness.schemas import Schema
from ordering import api
from ordering.catalog_client import CatalogClient
from ordering.place_orders import Stages
from ordering.settings import Settings
from ordering.tests.catalog_stand_in import CatalogStandIn, standing_in

TOKEN = "a-token"


@pytest.fixture
def database(ordering_schema: Schema) -> Iterator[Database]:
    database = Database(ordering_schema.url, connections=4)
    yield database
    database.close()


@pytest.fixture
def catalog() -> Iterator[CatalogStandIn]:
    with standing_in() as catalog:
        yield catalog


@pytest.fixture
def fulfilment() -> Iterator[CatalogStandIn]:
    """Ordering asks fulfilment only whether it is ready, which any stand-in can say."""
    with standing_in() as fulfilment:
        yield fulfilment


@pytest.fixture
async def catalog_client(catalog: CatalogStandIn) -> AsyncIterator[CatalogClient]:
    client = CatalogClient(catalog.url, TOKEN, seconds=0.3)
    yield client
    await client.close()


@pytest.fixture
def placing(database: Database, catalog_client: CatalogClient) -> Stages:
    return api.stages(database, catalog_client)


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def settings(ordering_schema: Schema, redis_url: str, catalog: CatalogStandIn, fulfilment: CatalogStandIn) -> Settings:
    return Settings(
        database_url=ordering_schema.url,
        redis_url=redis_url,
        catalog_url=catalog.url,
        fulfilment_url=fulfilment.url,
        service_token=TOKEN,
        connections=2,
        placing_seconds=3.0,
        catalog_seconds=0.5,
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The real app, with everything behind it but the network in front of it."""
    app = api.build(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ordering") as client,
    ):
        yield client
