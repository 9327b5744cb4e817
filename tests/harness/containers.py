"""Servers as containers, reached on loopback alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import docker
import pymysql
from docker.errors import ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from harness.engine import HOST, QUICK_MYSQL, Connection, MySQLServer, RedisServer, connect_as_root
from local.gateway_server import Gateway
from local.processes import free_port, wait_until
from local.redis_server import Redis
from local.secrets import Secrets

READY_SECONDS = 120.0
ROOT_PASSWORD = "root"
MYSQL_COMMAND = [
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
    "--transaction-isolation=READ-COMMITTED",
    "--skip-log-bin",
    "--max-connections=500",
    *QUICK_MYSQL,
]


@dataclass
class ContainerEngine:
    container: DockerContainer
    is_ready: Callable[[], bool]
    created: bool = False

    def start(self) -> None:
        if self.created:
            self.container.get_wrapped_container().start()
        else:
            _forgo_missing_reaper()
            self.container.start()
            self.created = True
        wait_until(self.is_ready, READY_SECONDS, self._logs)

    def kill(self) -> None:
        self.container.get_wrapped_container().kill()

    def remove(self) -> None:
        self.container.stop()

    def _logs(self) -> str:
        logs: bytes = self.container.get_wrapped_container().logs(tail=30)
        return f"{self.container.image} did not start:\n{logs.decode(errors='replace')}"


@cache
def _forgo_missing_reaper() -> None:
    """Ryuk removes what a killed test run leaves behind; without a registry to pull it from we do without."""
    client = docker.from_env()
    try:
        client.images.get(testcontainers_config.ryuk_image)
    except ImageNotFound:
        testcontainers_config.ryuk_disabled = True
    finally:
        client.close()


def on_loopback(container: DockerContainer, inside: int, outside: int) -> DockerContainer:
    """Its own `with_bind_ports` would open the port to the network."""
    container.ports[f"{inside}/tcp"] = (HOST, outside)  # type: ignore[assignment] # docker's client takes pairs
    return container


def mysql_server(secrets: Secrets) -> MySQLServer:
    port = free_port()
    container = DockerContainer("mysql:8.4").with_command(MYSQL_COMMAND)
    container.with_envs(MYSQL_ROOT_PASSWORD=ROOT_PASSWORD, MYSQL_INITDB_SKIP_TZINFO="1")

    def connect() -> Connection:
        return connect_as_root(port, ROOT_PASSWORD)

    def is_ready() -> bool:
        try:
            connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    return MySQLServer(ContainerEngine(on_loopback(container, 3306, port), is_ready), port, connect, secrets)


def redis_server(secrets: Secrets) -> RedisServer:
    """Its users are given on the command line: the container's own user could not read the file."""
    port = free_port()
    users = [f"--{word}" if word == "user" else word for word in secrets.redis_users.read_text().split()]
    container = DockerContainer("redis:8-alpine").with_command(
        ["redis-server", "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", *users]
    )
    is_ready = Redis(Path(), port).is_ready
    return RedisServer(ContainerEngine(on_loopback(container, 6379, port), is_ready), port, secrets)


def gateway(server: Gateway) -> ContainerEngine:
    """nginx with the configuration it has as a local process. On the host's network, to reach processes on loopback."""
    server.prepare()
    container = DockerContainer("nginx:1-alpine").with_kwargs(network_mode="host")
    place = f"/{server.directory.name}"
    container.with_copy_into_container(server.directory, "/")
    container.with_command(["nginx", "-e", "stderr", "-p", place, "-c", f"{place}/nginx.conf", "-g", "daemon off;"])
    return ContainerEngine(container, server.is_ready)
