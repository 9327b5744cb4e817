"""Everything as real processes, two of each, and a link of its own between any two that talk."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from chassis.migrations import upgrade
from faults.children import Child, Family
from faults.keeper import Keeper
from faults.proxy import HOST, Link
from local.gateway_server import Gateway
from local.mysql_server import MySQL
from local.processes import free_ports, wait_until
from local.redis_server import Redis
from local.topology import PORTS, ROOT, SERVICES, WORKERS, Topology

REPLICAS = 2
STEP_SECONDS = 2.0
READY_SECONDS = 60.0
REDIS_OPTIONS = ("--aof-timestamp-enabled", "yes")  # where to cut a second off
CHECKER = "checker"


@dataclass(frozen=True)
class WholeSystem:
    directory: Path
    ports: dict[str, int]
    mysql: MySQL
    redis: Redis
    keeper: Keeper
    links: dict[str, Link]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports['GATEWAY_PORT']}"

    @property
    def private_url(self) -> str:
        return f"http://{HOST}:{self.ports['ORDERING_PORT']}"

    @property
    def effects(self) -> Path:
        return self.directory / "effects"

    def children(self, *kinds: str) -> list[Child]:
        return [child for child in self.keeper.children.values() if child.kind in kinds]

    @property
    def processes(self) -> list[Child]:
        """Ours, without the servers."""
        return [child for child in self.keeper.children.values() if child.kind not in {"mysql", "redis", "gateway"}]

    async def until_ready(self) -> None:
        """Return when an order can be placed and fulfilled."""
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient() as client:
            while not await _is_healthy(client, f"{self.url}/health"):
                await asyncio.sleep(0.1)


async def _is_healthy(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url, timeout=5)).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[WholeSystem]:
    with ExitStack() as life:
        system = _assemble(directory, life)
        for child in system.keeper.children.values():
            life.callback(child.end)
        for link in system.links.values():
            await link.open()
        await asyncio.to_thread(_prepare_servers, system)
        _connect(system)
        for child in system.processes:
            child.start()
        system.keeper.children["gateway"].start()
        keeping = asyncio.create_task(system.keeper.run())
        try:
            await system.until_ready()
            yield system
        finally:
            keeping.cancel()
            for link in system.links.values():
                await link.close()


def _assemble(directory: Path, life: ExitStack) -> WholeSystem:
    names = [*PORTS, *(f"worker {n}" for n in range(len(WORKERS) * REPLICAS))]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    mysql = MySQL(directory / "mysql", ports["MYSQL_PORT"])
    redis = Redis(directory / "redis", ports["REDIS_PORT"], REDIS_OPTIONS)
    sockets = {service: _listening(life, ports[f"{service.upper()}_PORT"]) for service in SERVICES}
    worker_ports = iter(ports[f"worker {n}"] for n in range(len(WORKERS) * REPLICAS))
    apis = [_api(directory, service, n, sockets[service]) for service in SERVICES for n in range(REPLICAS)]
    workers = [_worker(directory, service, n, next(worker_ports)) for service in WORKERS for n in range(REPLICAS)]
    servers = [Child(server.name, [], directory / f"{server.name}.log") for server in (mysql, redis)]
    gateway = Family("gateway", [], directory / "gateway.log")
    links = _links([*apis, *workers], ports)
    return WholeSystem(directory, ports, mysql, redis, Keeper([*servers, gateway, *apis, *workers]), links)


def _listening(life: ExitStack, port: int) -> socket.socket:
    return life.enter_context(socket.create_server((HOST, port), backlog=2048))


def _api(directory: Path, service: str, number: int, shared: socket.socket) -> Child:
    name = f"{service}-api-{number}"
    command = [sys.executable, "-m", service, "api", "--fd", "0"]
    return Child(name, command, directory / f"{name}.log", stdin=shared)


def _worker(directory: Path, service: str, number: int, port: int) -> Child:
    name = f"{service}-worker-{number}"
    program = ["faults.clumsy_worker"] if service == "fulfilment" else [service, "worker"]
    return Child(name, [sys.executable, "-m", *program, "--port", str(port)], directory / f"{name}.log")


def _links(processes: list[Child], ports: dict[str, int]) -> dict[str, Link]:
    ways = [("gateway", service) for service in SERVICES]
    ways += [(process.name, "mysql") for process in processes]
    ways += [(process.name, "redis") for process in processes if not process.name.startswith("catalog")]
    ways += [(process.name, "catalog") for process in processes if process.name.startswith("ordering")]
    links = [Link(f"{start} to {end}", ports[f"{end.upper()}_PORT"]) for start, end in ways]
    return {link.name: link for link in links}


def _prepare_servers(system: WholeSystem) -> None:
    """MySQL and Redis started, schemas migrated, and a user that may read all of them and write nothing."""
    for server in (system.mysql, system.redis):
        server.prepare()
        child = system.keeper.children[server.name]
        child.command[:] = server.command()
    for child in system.children("mysql", "redis"):
        child.start()
    _wait_for(system)
    system.mysql.grant()
    with system.mysql.admin() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{CHECKER}'@'%' IDENTIFIED BY '{CHECKER}'")
        for schema in SERVICES:
            cursor.execute(f"GRANT SELECT ON {schema}.* TO '{CHECKER}'@'%'")
    variables = Topology(system.ports, REPLICAS).environment()
    for service in SERVICES:
        url = variables[f"{service.upper()}_MIGRATION_URL"]
        upgrade(service, url, ROOT / "services" / service / "migrations")


def _wait_for(system: WholeSystem) -> None:
    wait_until(system.mysql.is_ready, READY_SECONDS, lambda: "MySQL did not start")
    wait_until(system.redis.is_ready, READY_SECONDS, lambda: "Redis did not start")


def _connect(system: WholeSystem) -> None:
    """Tell every process its own ways to the others."""
    for child in system.processes:
        child.environment = _environment(system, child)
    upstreams = {service: [f"{HOST}:{system.links[f'gateway to {service}'].port}"] for service in SERVICES}
    gateway = Gateway(system.directory / "gateway", system.ports["GATEWAY_PORT"], upstreams)
    gateway.prepare()
    system.keeper.children["gateway"].command[:] = gateway.command()


def _environment(system: WholeSystem, child: Child) -> dict[str, str]:
    ports = dict(system.ports)
    for end in ("mysql", "redis", "catalog"):
        if (link := system.links.get(f"{child.name} to {end}")) is not None:
            ports[f"{end.upper()}_PORT"] = link.port
    variables = Topology(ports, REPLICAS).environment()
    variables["PYTHONPATH"] += f":{ROOT / 'tests'}"
    return variables | {
        "FULFILMENT_PROCESSING_SECONDS": str(STEP_SECONDS),
        "FULFILMENT_MOST_FAILURES": "2",
        "EFFECTS": str(system.effects),
    }
