"""The whole system as real processes against the tests' servers, to be watched, killed and started again."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from harness import containers, local_servers, servers
from harness.engine import HOST, Engine, MySQLServer, RedisServer
from harness.processes import Process, listening
from harness.schemas import Schemas
from harness.servers import in_containers
from harness.size import STEP_SECONDS
from local.gateway_server import Gateway
from local.processes import free_port
from local.topology import PORTS, SERVICES, WORKERS, Topology

READY_SECONDS = 120.0
POLL_SECONDS = 0.05


def wait_until(predicate: Callable[[], bool], timeout: float = 60.0, what: str = "it") -> None:
    """Poll until true, or fail the test. The deadline is for machines that do much else at the same time."""
    give_up_at = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < give_up_at, f"after {timeout:g} s still waiting for {what}"
        time.sleep(POLL_SECONDS)


@dataclass
class System:
    """`processes` by name: catalog-api-0, ordering-api-0, ordering-worker-0, … up to the number of replicas."""

    mysql: MySQLServer
    redis: RedisServer
    gateway: Engine
    url: str
    processes: dict[str, Process]
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def start(self) -> None:
        """Start whatever doesn't run, and wait until an order can be placed and fulfilled."""
        for process in self.processes.values():
            process.start()
        self.wait_until_ready()

    def stop(self) -> None:
        """SIGTERM for all at once, as Ctrl-C and `docker compose stop` do; waits until the last has drained."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()

    def kill(self) -> None:
        """Nobody gets to say goodbye."""
        for process in self.processes.values():
            process.kill()

    def wait_until_ready(self) -> None:
        for process in self.processes.values():
            wait_until(process.is_ready, READY_SECONDS, f"{process.name} to be ready (its log: {process.log})")
        wait_until(self._is_healthy, READY_SECONDS, "/health through the gateway")

    def _is_healthy(self) -> bool:
        try:
            return self.client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def logs(self, name: str = "") -> str:
        """What the processes whose names start with `name` have said."""
        return "".join(process.log_text() for process in self.processes.values() if process.name.startswith(name))

    def product(self, stock: int, price: float = 10.0, name: str = "Laptop") -> int:
        """The id of a new product."""
        answer = self.client.post("/api/v1/products", json={"name": name, "price": price, "stock": stock})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def order(self, product_id: int, quantity: int = 1) -> int:
        """The id of a new order."""
        answer = self.client.post("/api/v1/orders", json={"product_id": product_id, "quantity": quantity})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def stock(self, product_id: int) -> int:
        return int(self.client.get(f"/api/v1/products/{product_id}").json()["stock"])

    def order_state(self, order_id: int) -> str:
        return str(self.client.get(f"/api/v1/orders/{order_id}").json()["state"])


@contextmanager
def running(directory: Path, *, replicas: int) -> Iterator[System]:
    """A system with servers of its own, ready for orders; its processing step takes STEP_SECONDS."""
    with ExitStack() as life:
        mysql = life.enter_context(servers.mysql(directory))
        redis = life.enter_context(servers.redis(directory))
        for service in SERVICES:
            Schemas(mysql).empty(service)
        ports = {name: free_port() for name in PORTS} | {"MYSQL_PORT": mysql.port, "REDIS_PORT": redis.port}
        topology = Topology(ports, replicas)
        processes = _processes(life, topology, directory)
        gateway = _gateway(topology, directory / "gateway")
        life.callback(gateway.remove)
        gateway.start()
        url = f"http://{HOST}:{ports['GATEWAY_PORT']}"
        system = System(mysql, redis, gateway, url, {process.name: process for process in processes})
        life.callback(system.client.close)
        system.start()
        yield system


def _processes(life: ExitStack, topology: Topology, directory: Path) -> list[Process]:
    environment = topology.environment() | {"FULFILMENT_PROCESSING_SECONDS": str(STEP_SECONDS)}
    replicas = range(topology.replicas)
    apis = [process for service in SERVICES for process in _apis(life, topology, service)]
    workers = [Process(f"{service}-worker-{n}", free_port()) for service in WORKERS for n in replicas]
    for process in (*apis, *workers):
        process.prepare(directory, environment)
        life.callback(process.kill)
    return [*apis, *workers]


def _apis(life: ExitStack, topology: Topology, service: str) -> list[Process]:
    """All replicas of an api share one listening socket, as under supervisor."""
    port = topology.ports[f"{service.upper()}_PORT"]
    shared = life.enter_context(listening(port))
    return [Process(f"{service}-api-{n}", port, shared) for n in range(topology.replicas)]


def _gateway(topology: Topology, directory: Path) -> Engine:
    upstreams = {service: [topology.address(service)] for service in SERVICES}
    gateway = Gateway(directory, topology.ports["GATEWAY_PORT"], upstreams)
    return containers.gateway(gateway) if in_containers() else local_servers.LocalEngine(gateway)
