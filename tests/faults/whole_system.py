"""Everything as real processes, two of each, and a link of its own between any two that talk."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from faults.children import Breakable, ProcessGroup
from faults.clocks import Clock
from faults.keeper import Keeper
from faults.proxy import Link
from harness.layout import Addresses, Layout
from local import migrations
from local.development_issuer import DevelopmentIssuer
from local.mysql_server import MySQL
from local.processes import Server, wait_until
from local.redis_server import Redis
from local.secrets import Secrets
from local.topology import ROOT, SERVICES, Topology

REPLICAS = 2
STEP_SECONDS = 2.0
READY_SECONDS = 60.0
REDIS_OPTIONS = ("--aof-timestamp-enabled", "yes")  # where to cut a second off
CHECKER = "checker"
PYTHON = (sys.executable, "-m", "faults.under_faketime")


@dataclass(frozen=True)
class WholeSystem:
    layout: Layout
    secrets: Secrets
    mysql: MySQL
    redis: Redis
    keeper: Keeper
    links: dict[str, Link]

    @property
    def url(self) -> str:
        return self.layout.url

    @property
    def private_url(self) -> str:
        """Ordering's first replica, or all behind their one socket."""
        return f"http://{self.layout.topology.address('ordering')}"

    @property
    def issuer(self) -> DevelopmentIssuer:
        """Whose tokens all of it asks for."""
        return _issuer(self.layout)

    @property
    def effects(self) -> Path:
        return self.layout.directory / "effects"

    def children(self, *kinds: str) -> list[Breakable]:
        return [child for child in self.keeper.children.values() if child.kind in kinds]

    @property
    def processes(self) -> list[Breakable]:
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
    layout = Layout.on_free_ports(directory, REPLICAS, addresses)
    links = _links(layout)
    with ExitStack() as life:
        for link in links.values():
            await link.open()
        system = _assemble(layout, links, life)
        for child in system.keeper.children.values():
            life.callback(child.end)
        await asyncio.to_thread(_start_servers, system)
        for child in system.keeper.children.values():
            child.start()
        keeping = asyncio.create_task(system.keeper.run())
        try:
            await system.until_ready()
            yield system
        finally:
            keeping.cancel()
            for link in links.values():
                await link.close()


def _links(layout: Layout) -> dict[str, Link]:
    """With addresses of their own the gateway reaches replicas straight: a link in between would hide a refusal from it."""
    ways = [("gateway", service) for service in SERVICES if layout.addresses is Addresses.SHARED]
    ways += [(process, "mysql") for process in layout.ports]
    ways += [(process, "redis") for process in layout.ports if not process.startswith("catalog")]
    ways += [(process, "catalog") for process in layout.ports if process.startswith("ordering")]
    servers = {server: [layout.topology.ports[f"{server.upper()}_PORT"]] for server in ("mysql", "redis")}
    ends = servers | {service: layout.api_ports(service) for service in SERVICES}
    links = [Link(f"{start} to {end}", *ends[end]) for start, end in ways]
    return {link.name: link for link in links}


def _assemble(layout: Layout, links: dict[str, Link], life: ExitStack) -> WholeSystem:
    directory, ports = layout.directory, layout.topology.ports
    secrets = Secrets(directory / "secrets")
    secrets.make()
    mysql = MySQL(directory / "mysql", ports["MYSQL_PORT"])
    redis = Redis(directory / "redis", ports["REDIS_PORT"], secrets.redis_users, REDIS_OPTIONS)
    ways = {service: links[f"gateway to {service}"].port for service in SERVICES if f"gateway to {service}" in links}
    gateway = layout.gateway(ways)
    for server in (mysql, redis, gateway):
        server.prepare()
    processes = layout.processes(life, Breakable, _program)
    for process in processes:
        process.environment = _environment(layout, links, process.name, secrets)
    children = [_child(Breakable, mysql, directory), _child(Breakable, redis, directory)]
    for child in (children[0], *processes):  # Redis doesn't start with libfaketime in it; nginx asks no clock
        child.clock = Clock(directory / f"{child.name}.clock")
    children += [*processes, _child(ProcessGroup, gateway, directory)]
    return WholeSystem(layout, secrets, mysql, redis, Keeper(children), links)


def _issuer(layout: Layout) -> DevelopmentIssuer:
    return DevelopmentIssuer(layout.directory / "auth")


def _program(service: str, role: str) -> list[str]:
    step_of_ours = (service, role) == ("fulfilment", "worker")
    return [*PYTHON, "faults.failing_worker"] if step_of_ours else [*PYTHON, service, role]


def _child(make: type[Breakable], server: Server, directory: Path) -> Breakable:
    return make(server.name, server.command(), directory / f"{server.name}.log")


def _environment(layout: Layout, links: Mapping[str, Link], process: str, secrets: Secrets) -> dict[str, str]:
    """Each process has its own ways to the others."""
    ports = dict(layout.topology.ports)
    for end in ("mysql", "redis", "catalog"):
        if (link := links.get(f"{process} to {end}")) is not None:
            ports[f"{end.upper()}_PORT"] = link.port
    variables = Topology(ports, REPLICAS).environment(secrets)
    variables["PYTHONPATH"] += f":{ROOT / 'tests'}"
    return (
        variables
        | _issuer(layout).environment()
        | {
            "FULFILMENT_PROCESSING_SECONDS": str(STEP_SECONDS),
            "FULFILMENT_MOST_FAILURES": "2",
            "EFFECTS": str(layout.directory / "effects"),
        }
    )


def _start_servers(system: WholeSystem) -> None:
    """MySQL and Redis started, schemas migrated, and a user that may read all of them and write nothing."""
    for child in system.children("mysql", "redis"):
        child.start()
    wait_until(system.mysql.is_ready, READY_SECONDS, lambda: "MySQL did not start")
    wait_until(system.redis.is_ready, READY_SECONDS, lambda: "Redis did not start")
    system.mysql.grant(system.secrets.mysql_passwords())
    with system.mysql.admin() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{CHECKER}'@'%' IDENTIFIED BY '{CHECKER}'")
        for schema in SERVICES:
            cursor.execute(f"GRANT SELECT ON {schema}.* TO '{CHECKER}'@'%'")
    migrations.migrate_all(system.layout.topology.environment(system.secrets))
