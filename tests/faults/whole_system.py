"""Everything as real processes, two of each, and a link of its own between any two that talk."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from chassis.database.migrations import upgrade
from faults.children import Child, Family
from faults.clocks import Clock
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
PYTHON = (sys.executable, "-m", "faults.under_faketime")
# In compose each replica has an address of its own, and the gateway passes over one that doesn't answer.
AS_IN_COMPOSE = "max_fails=1 fail_timeout=1s"


class Addresses(StrEnum):
    """Where the replicas of an api listen."""

    SHARED = "shared"  # on one socket, as `./justw up` has it
    OWN = "own"  # as compose has it

    @property
    def parameters(self) -> str:
        """Of nginx, for each of them."""
        return AS_IN_COMPOSE if self is Addresses.OWN else "max_fails=0"


@dataclass(frozen=True)
class WholeSystem:
    directory: Path
    ports: dict[str, int]
    mysql: MySQL
    redis: Redis
    keeper: Keeper
    links: dict[str, Link]
    addresses: Addresses

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports['GATEWAY_PORT']}"

    @property
    def private_url(self) -> str:
        """Ordering's first replica, or all behind their one socket."""
        own = self.addresses is Addresses.OWN
        return f"http://{HOST}:{self.ports[_port_name('ordering', 0) if own else 'ORDERING_PORT']}"

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
async def running(directory: Path, addresses: Addresses) -> AsyncIterator[WholeSystem]:
    with ExitStack() as life:
        system = _assemble(directory, life, addresses)
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


def _assemble(directory: Path, life: ExitStack, addresses: Addresses) -> WholeSystem:
    names = [*PORTS, *(f"worker {n}" for n in range(len(WORKERS) * REPLICAS))]
    names += [_port_name(service, n) for service in SERVICES for n in range(REPLICAS)]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    mysql = MySQL(directory / "mysql", ports["MYSQL_PORT"])
    redis = Redis(directory / "redis", ports["REDIS_PORT"], REDIS_OPTIONS)
    places = {service: _places(service, addresses, ports, life) for service in SERVICES}
    worker_ports = iter(ports[f"worker {n}"] for n in range(len(WORKERS) * REPLICAS))
    apis = [_api(directory, service, n, places[service][n]) for service in SERVICES for n in range(REPLICAS)]
    workers = [_worker(directory, service, n, next(worker_ports)) for service in WORKERS for n in range(REPLICAS)]
    servers = [Child(server.name, [], directory / f"{server.name}.log") for server in (mysql, redis)]
    gateway = Family("gateway", [], directory / "gateway.log")
    links = _links([*apis, *workers], ports, addresses)
    children = [*servers, gateway, *apis, *workers]
    for child in (servers[0], *apis, *workers):  # Redis doesn't start with libfaketime in it; nginx asks no clock
        child.clock = Clock(directory / f"{child.name}.clock")
    return WholeSystem(directory, ports, mysql, redis, Keeper(children), links, addresses)


def _port_name(service: str, replica: int) -> str:
    return f"{service} {replica}"


def _places(
    service: str, addresses: Addresses, ports: dict[str, int], life: ExitStack
) -> Sequence[socket.socket | int]:
    """For each replica the socket that it shares, or its own port."""
    if addresses is Addresses.SHARED:
        return [_listening(life, ports[f"{service.upper()}_PORT"])] * REPLICAS
    return [ports[_port_name(service, n)] for n in range(REPLICAS)]


def _listening(life: ExitStack, port: int) -> socket.socket:
    return life.enter_context(socket.create_server((HOST, port), backlog=2048))


def _api(directory: Path, service: str, number: int, place: socket.socket | int) -> Child:
    name = f"{service}-api-{number}"
    command = [*PYTHON, service, "api"]
    if isinstance(place, int):
        return Child(name, [*command, "--port", str(place)], directory / f"{name}.log")
    return Child(name, [*command, "--fd", "0"], directory / f"{name}.log", stdin=place)


def _worker(directory: Path, service: str, number: int, port: int) -> Child:
    name = f"{service}-worker-{number}"
    program = ["faults.clumsy_worker"] if service == "fulfilment" else [service, "worker"]
    return Child(name, [*PYTHON, *program, "--port", str(port)], directory / f"{name}.log")


def _links(processes: list[Child], ports: dict[str, int], addresses: Addresses) -> dict[str, Link]:
    """With addresses of their own the gateway reaches replicas straight: a link in between would hide a refusal from it."""
    ways = [("gateway", service) for service in SERVICES if addresses is Addresses.SHARED]
    ways += [(process.name, "mysql") for process in processes]
    ways += [(process.name, "redis") for process in processes if not process.name.startswith("catalog")]
    ways += [(process.name, "catalog") for process in processes if process.name.startswith("ordering")]
    ends = {end: [ports[f"{end.upper()}_PORT"]] for _, end in ways}
    if addresses is Addresses.OWN:
        ends["catalog"] = [ports[_port_name("catalog", n)] for n in range(REPLICAS)]
    links = [Link(f"{start} to {end}", *ends[end]) for start, end in ways]
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
    upstreams = {service: _upstream(system, service) for service in SERVICES}
    gateway = Gateway(
        system.directory / "gateway", system.ports["GATEWAY_PORT"], upstreams, system.addresses.parameters
    )
    gateway.prepare()
    system.keeper.children["gateway"].command[:] = gateway.command()


def _upstream(system: WholeSystem, service: str) -> list[str]:
    if system.addresses is Addresses.SHARED:
        return [f"{HOST}:{system.links[f'gateway to {service}'].port}"]
    return [f"{HOST}:{system.ports[_port_name(service, n)]}" for n in range(REPLICAS)]


def _environment(system: WholeSystem, child: Child) -> dict[str, str]:
    ports = dict(system.ports)
    if system.addresses is Addresses.OWN:
        ports["FULFILMENT_PORT"] = ports[_port_name("fulfilment", 0)]
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
