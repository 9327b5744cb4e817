"""The fixtures that every test may ask for; the root conftest.py makes them known."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from harness import servers
from harness.engine import MySQLServer, RedisServer
from harness.schemas import Schema, Schemas
from harness.system import System, running
from local.binaries import ensure_installed
from local.errors import LocalError
from local.topology import ROOT

LOG = ROOT / ".tools" / "apt.log"


def pytest_sessionstart(session: pytest.Session) -> None:
    """A machine new to the project may have no servers yet. Seen to once, before xdist's workers all want them."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly or servers.in_containers():
        return
    try:
        ensure_installed(LOG)
    except LocalError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def servers_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def mysql_server(servers_directory: Path) -> Iterator[MySQLServer]:
    """A real MySQL with our three schemas and six users; with xdist, one for each of its workers."""
    with servers.mysql(servers_directory) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(servers_directory: Path) -> Iterator[RedisServer]:
    with servers.redis(servers_directory) as server:
        yield server


@pytest.fixture(scope="session")
def schemas(mysql_server: MySQLServer) -> Schemas:
    return Schemas(mysql_server)


@pytest.fixture
def catalog_schema(schemas: Schemas) -> Schema:
    """Up to date and empty, as are the next two."""
    return schemas.empty("catalog")


@pytest.fixture
def ordering_schema(schemas: Schemas) -> Schema:
    return schemas.empty("ordering")


@pytest.fixture
def fulfilment_schema(schemas: Schemas) -> Schema:
    return schemas.empty("fulfilment")


@pytest.fixture
def scratch_schema(schemas: Schemas) -> Schema:
    """No tables, and a user that may make some: for plumbing that belongs to no service."""
    return schemas.scratch()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A real Redis with nothing in it."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system with servers of its own and two of every process. Who breaks something starts it again."""
    with running(tmp_path_factory.mktemp("system"), replicas=2) as system:
        yield system


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What the system itself runs on."""
    return "asyncio"
