from collections.abc import Iterator

import httpx
import pytest

from catalog import api
from catalog.settings import Settings
from catalog.tests.serving import serving
from chassis.database.transactions import Database
from harness.schemas import Schema, Schemas

TOKEN = "a-token"


@pytest.fixture
def database(catalog_schema: Schema) -> Iterator[Database]:
    database = Database(catalog_schema.url, connections=8)
    yield database
    database.close()


@pytest.fixture(scope="session")
def catalog_url(schemas: Schemas) -> Iterator[str]:
    """One real server for all tests; it finds new connections after each test's schema was emptied."""
    schemas.empty("catalog")
    with serving(api.build(Settings(database_url=schemas.of("catalog").url, ordering_tokens=(TOKEN,)))) as url:
        yield url


@pytest.fixture
def client(catalog_url: str, catalog_schema: Schema) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{catalog_url}/api/v1", timeout=20) as client:
        yield client


@pytest.fixture
def ordering(catalog_url: str, catalog_schema: Schema) -> Iterator[httpx.Client]:
    """How ordering talks to catalog."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"{catalog_url}/private", headers=headers, timeout=20) as client:
        yield client
