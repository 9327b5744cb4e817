"""MySQL and Redis for the tests: containers when there is a Docker engine, private local processes when not.

A test can't tell which. RUNTIME=local or RUNTIME=docker decides otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from harness import containers, local_servers
from harness.engine import Engine, MySQLServer, RedisServer
from local.runtime import choose


@cache
def in_containers() -> bool:
    """The same choice that `./justw up` makes."""
    return choose() == "docker"


@contextmanager
def mysql(directory: Path) -> Iterator[MySQLServer]:
    """With our schemas and users in it."""
    server = containers.mysql_server() if in_containers() else local_servers.mysql_server(directory / "mysql")
    with _started(server.engine):
        server.grant()
        yield server
        server.close()


@contextmanager
def redis(directory: Path) -> Iterator[RedisServer]:
    server = containers.redis_server() if in_containers() else local_servers.redis_server(directory / "redis")
    with _started(server.engine):
        yield server


@contextmanager
def _started(engine: Engine) -> Iterator[None]:
    try:
        engine.start()
        yield
    finally:
        engine.remove()
