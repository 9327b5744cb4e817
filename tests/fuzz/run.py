"""An attack on all services of a system of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from chassis.web.access import Role
from fuzz.attack import Attack
from fuzz.books import Books
from fuzz.callers import Callers
from fuzz.tally import Tally
from harness.system import System, running
from local.topology import HOST, SERVICES

# Whoever plays ordering towards catalog makes up ids of orders. Those of real ones begin far from what he thinks of.
FIRST_ORDER = 4_711_000_000_000
LIMITS = {"ORDERING_ORDERS_PER_CUSTOMER_PER_MINUTE": "0"}  # one customer sends thousands


@dataclass
class Target:
    """A whole system, each process of which has been the same since its start."""

    system: System
    callers: Callers

    def __post_init__(self) -> None:
        self._pids = {name: process.pid for name, process in self.system.processes.items()}

    def attacks(self, tally: Tally, *, seed: int, cases_per_route: int, boundaries: bool = True) -> list[Attack]:
        books = Books(self.system.mysql)
        ports = {service: self.system.layout.api_ports(service)[0] for service in SERVICES}
        return [
            Attack(
                service,
                f"http://{HOST}:{port}",
                self.callers,
                books,
                tally,
                seed=seed,
                cases_per_route=cases_per_route,
                boundaries=boundaries,
            )
            for service, port in ports.items()
        ]

    def redis(self) -> Redis:
        return Redis.from_url(self.system.redis.url)

    def orders(self, number: int) -> list[int]:
        """The ids of new orders."""
        staff, customer = ({"Authorization": self.callers.tokens[role]} for role in (Role.STAFF, Role.CUSTOMER))
        laptop = {"name": "Laptop", "price": 10, "stock": number}
        product = self.system.client.post("/api/v1/products", json=laptop, headers=staff).json()
        line = {"product_id": product["id"], "quantity": 1}
        placed = [self.system.client.post("/api/v1/orders", json=line, headers=customer) for _ in range(number)]
        return [int(order.json()["id"]) for order in placed]

    def require_alive(self, tally: Tally) -> None:
        for name, process in self.system.processes.items():
            if not process.runs or process.pid != self._pids[name]:
                tally.find(f"{name} ended", process.log_text()[-2000:])


@contextmanager
def target(directory: Path) -> Iterator[Target]:
    with running(directory, replicas=1, secured=True, environment=LIMITS) as system:
        assert system.issuer is not None
        system.mysql.execute(f"ALTER TABLE ordering.orders AUTO_INCREMENT = {FIRST_ORDER}")
        yield Target(system, Callers(system.issuer, system.mysql.secrets))
