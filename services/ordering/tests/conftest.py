from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from chassis.database.transactions import Database
from harness.asgi import in_one_piece
from harness.engine import RedisServer
from harness.schemas import Schema, Schemas
from ordering import api
from ordering.catalog_client import CatalogClient
from ordering.place_orders import Stages
from ordering.settings import Settings
from ordering.stages import stages
from ordering.tests.catalog_stand_in import CatalogStandIn, StandInServer, serving

TOKEN = "a-token"


@pytest.fixture
def database(ordering_schema: Schema) -> Iterator[Database]:
    database = Database(ordering_schema.url, connections=4)
    yield database
    database.close()


@pytest.fixture(scope="session")
def catalog_server() -> Iterator[StandInServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def fulfilment_server() -> Iterator[StandInServer]:
    with serving() as server:
        yield server


@pytest.fixture
def catalog(catalog_server: StandInServer) -> Iterator[CatalogStandIn]:
    with catalog_server.fresh() as catalog:
        yield catalog


@pytest.fixture
def fulfilment(fulfilment_server: StandInServer) -> Iterator[CatalogStandIn]:
    """Ordering asks fulfilment only whether it is ready, which any stand-in can say."""
    with fulfilment_server.fresh() as fulfilment:
        yield fulfilment


@pytest.fixture(scope="session")
async def one_catalog_client(catalog_server: StandInServer) -> AsyncIterator[CatalogClient]:
    """One for all tests: each would load the certificates of all authorities."""
    client = CatalogClient(catalog_server.url, TOKEN, seconds=0.5)
    yield client
    await client.close()


@pytest.fixture
def catalog_client(one_catalog_client: CatalogClient, catalog: CatalogStandIn) -> CatalogClient:
    return one_catalog_client


@pytest.fixture
def placing(database: Database, catalog_client: CatalogClient) -> Stages:
    return stages(database, catalog_client)


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(scope="session")
def settings(
    schemas: Schemas, redis_server: RedisServer, catalog_server: StandInServer, fulfilment_server: StandInServer
) -> Settings:
    return Settings(
        database_url=schemas.of("ordering").url,
        redis_url=redis_server.url_of("ordering"),
        catalog_url=catalog_server.url,
        fulfilment_url=fulfilment_server.url,
        catalog_token=TOKEN,
        operator_tokens=(TOKEN,),
        connections=2,
        placing_seconds=3.0,
        catalog_seconds=0.5,
    )


@pytest.fixture(scope="session")
async def app(schemas: Schemas, settings: Settings) -> AsyncIterator[FastAPI]:
    """The real one, with everything behind it; it finds new connections after each test's schema was emptied."""
    schemas.empty("ordering")
    app = api.build(settings)
    async with app.router.lifespan_context(app):
        yield app


def client_of(app: FastAPI, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(in_one_piece(app))
    return httpx.AsyncClient(transport=transport, base_url="http://ordering", headers=headers)


@pytest.fixture
async def client(
    app: FastAPI, ordering_schema: Schema, catalog: CatalogStandIn, fulfilment: CatalogStandIn
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client
