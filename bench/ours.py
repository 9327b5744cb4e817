"""The system under load: what `./justw up` runs, with ports and data of its own, and full durability."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pymysql
from redis import Redis

from bench.subject import Helper, Subject
from contracts.streams import FULFILMENT, ORDERING
from local.errors import LocalError
from local.gateway_server import get
from local.mysql_server import MySQL
from local.processes import running, wait_until
from local.supervisor import Supervisor
from local.topology import HOST, MOST_REPLICAS, PORTS, SERVICES, WORKERS, Topology
from local.up import GATEWAY, PROCESSES

if TYPE_CHECKING:
    Connection = pymysql.Connection[pymysql.cursors.Cursor]
else:
    Connection = pymysql.Connection

START_SECONDS = 180.0
DRAIN_SECONDS = 900.0
SETTLE_SECONDS = 1.0
STOCK = 1_000_000_000
UNFINISHED = "SELECT COUNT(*) FROM ordering.orders WHERE state IN ('pending', 'placed', 'cancelling', 'releasing')"
UNSENT = "SELECT (SELECT COUNT(*) FROM ordering.outbox WHERE sent = 0) + (SELECT COUNT(*) FROM fulfilment.outbox)"


# Below the ports that outgoing connections get. Each system takes the next block, so that two don't meet.
BLOCKS = iter(range(21000, 32000, MOST_REPLICAS * len(PORTS)))


def _free_ports(replicas: int) -> dict[str, int]:
    for first in BLOCKS:
        ports = {name: first + n * MOST_REPLICAS for n, name in enumerate(PORTS)}
        if Topology(ports, replicas).taken_port() is None:
            return ports
    raise LocalError("No ports are free from 21000 to 32000.")


@dataclass(frozen=True)
class Backlog:
    unfinished: int
    unsent: int
    stream_entries: int


class _Up(Helper):
    """`local.up` in a place of its own. Ready when it says so itself: /health through the gateway."""

    def is_ready(self) -> bool:
        return get(self.port, "/health")[0] == httpx.codes.OK


class Ours:
    """Runs as long as the block of `running`; `paused`, only its MySQL and Redis do."""

    def __init__(self, directory: Path, replicas: int) -> None:
        self.directory = directory
        self.replicas = replicas
        self.ports = _free_ports(replicas)
        self.url = f"http://{HOST}:{self.ports['GATEWAY_PORT']}"
        self.mysql_port = self.ports["MYSQL_PORT"]
        self.redis_port = self.ports["REDIS_PORT"]
        self._supervisor = Supervisor(directory)
        self._stock: dict[str, list[int]] = {}

    @contextmanager
    def running(self) -> Iterator["Ours"]:
        shutil.rmtree(self.directory, ignore_errors=True)
        environment = {name: str(port) for name, port in self.ports.items()} | {
            "LOCAL_DIR": str(self.directory),
            "REPLICAS": str(self.replicas),
            "RUNTIME": "local",
        }
        up = _Up(
            "up",
            self.directory,
            [sys.executable, "-m", "local.up"],
            self.ports["GATEWAY_PORT"],
            os.environ | environment,
        )
        try:
            with running(up, START_SECONDS):
                yield self
        finally:
            for data in ("mysql", "redis"):
                shutil.rmtree(self.directory / data, ignore_errors=True)

    def pause(self) -> None:
        self._supervisor.stop([*GATEWAY, *PROCESSES])

    @contextmanager
    def resumed(self) -> Iterator[Subject]:
        self._supervisor.start([*PROCESSES, *GATEWAY])
        wait_until(self._healthy, START_SECONDS, lambda: f"{self.url}/health does not answer 200.")
        try:
            yield self.subject()
        finally:
            self.pause()

    def _healthy(self) -> bool:
        return get(self.ports["GATEWAY_PORT"], "/health")[0] == httpx.codes.OK

    def subject(self) -> Subject:
        if not self._stock:
            self.stock_up()
        return Subject(self.url, self._stock, self.processes, self.drain, self.some_orders)

    def stock_up(self) -> None:
        hundred = self._create(100, STOCK)
        self._stock = {"place": hundred, "hot": self._create(1, STOCK), "soldout": self._create(100, 0)}
        self.use_products(hundred)

    def use_products(self, ids: list[int]) -> None:
        """Place, read and mix with these from now on."""
        self._stock |= {"place": ids, "read": ids, "mix": ids}

    def _create(self, count: int, stock: int) -> list[int]:
        with httpx.Client(base_url=self.url) as client:
            bodies = ({"name": f"Product {n}", "price": 9.99, "stock": stock} for n in range(count))
            answers = [client.post("/api/v1/products", json=body).raise_for_status() for body in bodies]
        return [answer.json()["id"] for answer in answers]

    def processes(self) -> dict[str, int]:
        """The pids by name, without replica numbers where there is one of each."""
        names = {"mysql": "mysql", "redis": "redis", "gateway": "gateway"}
        for n in range(self.replicas):
            suffix = f" {n}" if self.replicas > 1 else ""
            names |= {f"{service} api{suffix}": f"{service}-api:{service}-api-{n}" for service in SERVICES}
            names |= {f"{service} worker{suffix}": self._worker(service, n) for service in WORKERS}
        return {name: self._supervisor.pid_of(known) for name, known in names.items()}

    def _worker(self, service: str, replica: int) -> str:
        port = self.ports[f"{service.upper()}_WORKER_PORT"] + replica
        return f"{service}-worker:{service}-worker-{port}"

    @cached_property
    def _root(self) -> Connection:
        connection = MySQL(self.directory / "mysql", self.mysql_port).admin()
        connection.autocommit(True)
        return connection

    @cached_property
    def _redis(self) -> Redis:
        return Redis(host=HOST, port=self.redis_port)

    def execute(self, sql: str) -> Sequence[tuple[Any, ...]]:
        with self._root.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall()) or rows
        return rows

    def number(self, sql: str) -> float:
        return float(self.execute(sql)[0][0] or 0)

    def some_orders(self) -> list[int]:
        return [row[0] for row in self.execute("SELECT id FROM ordering.orders ORDER BY id DESC LIMIT 1000")] or [1]

    def backlog(self) -> Backlog:
        entries = sum(int(self._redis.xlen(stream.name)) for stream in (ORDERING, FULFILMENT))
        return Backlog(int(self.number(UNFINISHED)), int(self.number(UNSENT)), entries)

    def unfinished(self) -> int:
        return int(self.number(UNFINISHED))

    def drain(self) -> None:
        """Until no order waits for anything."""
        wait_until(self._idle, DRAIN_SECONDS, lambda: f"The pipeline does not drain: {self.backlog()}")
        time.sleep(SETTLE_SECONDS)

    def _idle(self) -> bool:
        time.sleep(0.2)  # asking as often as wait_until would is a load of its own
        backlog = self.backlog()
        return not backlog.unfinished and not backlog.unsent
