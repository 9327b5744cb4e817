"""The whole system as real processes against the tests' servers, to be watched, killed and started again."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from harness import servers
from harness.engine import MySQLServer, RedisServer
from harness.layout import Addresses, Layout
from harness.schemas import Schemas
from harness.size import STEP_SECONDS
from local.credentials import Credentials
from local.development_issuer import DevelopmentIssuer
from local.gateway_server import get
from local.processes import Child
from local.topology import SERVICES

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05


def wait_until(predicate: Callable[[], bool], timeout: float = 60.0, what: str = "it") -> None:
    """Poll until true, or fail the test. The deadline is for machines that do much else at the same time."""
    give_up_at = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < give_up_at, f"after {timeout:g} s still waiting for {what}"
        time.sleep(POLL_SECONDS)


@dataclass
class System:
    """`processes` by name: catalog-api-0, ordering-api-0, ordering-worker-0, … up to the number of replicas.

    One that is secured has an `issuer` of its own. `client` shows the tokens that `credentials` has for it.
    """

    mysql: MySQLServer
    redis: RedisServer
    layout: Layout
    processes: dict[str, Child]
    issuer: DevelopmentIssuer | None = None
    credentials: Credentials | None = field(init=False)
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.issuer) if self.issuer else None
        self.client = httpx.Client(base_url=self.url, timeout=30, auth=self.credentials)

    @property
    def url(self) -> str:
        return self.layout.url

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
            process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Nobody gets to say goodbye."""
        running = [process for process in self.processes.values() if process.runs]
        for process in running:
            process.kill()
        for process in running:
            process.wait()

    def wait_until_ready(self) -> None:
        for process in self.processes.values():
            wait_until(lambda: self._is_ready(process), READY_SECONDS, f"{process.name} (its log: {process.log})")  # noqa: B023
        gateway = self.layout.topology.ports["GATEWAY_PORT"]
        wait_until(lambda: get(gateway, "/health")[0] == 200, READY_SECONDS, "/health through the gateway")

    def _is_ready(self, process: Child) -> bool:
        """Of replicas that share a socket, any may answer."""
        assert process.runs, f"{process.name} ended:\n{process.log_text()[-3000:]}"
        return get(self.layout.ports[process.name], "/readyz")[0] == 200

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
def running(
    directory: Path,
    *,
    replicas: int,
    step_seconds: float = STEP_SECONDS,
    secured: bool = False,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[System]:
    """A system with servers of its own, ready for orders. Its processes get `environment` too."""
    issuer = DevelopmentIssuer(directory / "auth") if secured else None
    with ExitStack() as life:
        mysql = life.enter_context(servers.mysql(directory))
        redis = life.enter_context(servers.redis(directory))
        for service in SERVICES:
            Schemas(mysql).empty(service)
        known = {"MYSQL_PORT": mysql.port, "REDIS_PORT": redis.port}
        layout = Layout.on_free_ports(directory, replicas, Addresses.SHARED, **known)
        processes = layout.processes(life, Child, lambda service, role: [sys.executable, "-m", service, role])
        variables = layout.topology.environment(mysql.secrets) | {
            "FULFILMENT_PROCESSING_SECONDS": str(step_seconds),
            "LOG_LEVEL": "DEBUG",  # all that may be said
        }
        for process in processes:
            process.environment = {**variables, **(issuer.environment() if issuer else {}), **environment}
        life.enter_context(servers.started(servers.gateway(layout.gateway())))
        system = System(mysql, redis, layout, {process.name: process for process in processes}, issuer)
        life.callback(system.client.close)
        life.callback(system.kill)
        system.start()
        yield system
