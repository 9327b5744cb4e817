"""MySQL, Redis and nginx for the tests: containers when there is a Docker engine, private local processes when not.

A test can't tell which. RUNTIME=local or RUNTIME=docker decides otherwise.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness import containers
from harness.engine import QUICK_MYSQL, Engine, MySQLServer, RedisServer
from local.gateway_server import Gateway
from local.mysql_server import MySQL
from local.processes import Child, Server, free_port, running
from local.redis_server import Redis
from local.runtime import choose
from local.secrets import Secrets


@cache
def in_containers() -> bool:
    """The same choice that `./justw up` makes."""
    return choose() == "docker"


@dataclass
class LocalEngine:
    server: Server
    _life: ExitStack = field(default_factory=ExitStack)
    _child: Child | None = None

    def start(self) -> None:
        self._child = self._life.enter_context(running(self.server))

    def kill(self) -> None:
        assert self._child is not None, "it was started"
        self._child.kill()
        self._child.wait()

    def remove(self) -> None:
        self._life.close()


def secrets_in(directory: Path) -> Secrets:
    """Those of the system that has its servers there."""
    secrets = Secrets(directory / "secrets")
    secrets.make()
    return secrets


@contextmanager
def mysql(directory: Path) -> Iterator[MySQLServer]:
    """With our schemas and users in it."""
    secrets = secrets_in(directory)
    if in_containers():
        server = containers.mysql_server(secrets)
    else:
        local = MySQL(directory / "mysql", free_port(), options=QUICK_MYSQL)
        server = MySQLServer(LocalEngine(local), local.port, local.admin, secrets)
    with started(server.engine):
        server.grant()
        yield server
        server.close()


@contextmanager
def redis(directory: Path) -> Iterator[RedisServer]:
    secrets = secrets_in(directory)
    if in_containers():
        server = containers.redis_server(secrets)
    else:
        local = Redis(directory / "redis", free_port(), secrets.redis_users)
        server = RedisServer(LocalEngine(local), local.port, secrets)
    with started(server.engine):
        yield server


def gateway(server: Gateway) -> Engine:
    return containers.gateway(server) if in_containers() else LocalEngine(server)


@contextmanager
def started(engine: Engine) -> Iterator[None]:
    try:
        engine.start()
        yield
    finally:
        engine.remove()
