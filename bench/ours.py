"""The system under load: what `./justw up` runs, with ports and data of its own, and full durability."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pymysql
from redis import Redis

from bench.subject import Helper, Subject
from contracts.streams import FULFILMENT, ORDERING
from local.mysql_server import MySQL
from local.processes import free_port, running, wait_until
from local.supervisor import Supervisor
from local.topology import HOST, PORTS, SERVICES, WORKERS
from local.up import GATEWAY, PROCESSES

START_SECONDS = 180.0
DRAIN_SECONDS = 900.0
STOCK = 1_000_000_000
UNFINISHED = "SELECT COUNT(*) FROM ordering.orders WHERE state IN ('pending', 'placed', 'cancelling', 'releasing')"
OUTBOX = "SELECT (SELECT COUNT(*) FROM ordering.outbox) + (SELECT COUNT(*) FROM fulfilment.outbox)"


@dataclass(frozen=True)
class Backlog:
    """`unfinished` are orders, `outbox` the batches in both; `stream_seconds` is how old the oldest stream entry is."""

    unfinished: int
    outbox: int
    stream_seconds: float


class Ours:
    """Runs as long as the block of `running`, where it begins paused: then only its MySQL and Redis run."""

    def __init__(self, directory: Path, replicas: int) -> None:
        self.directory = directory
        self.replicas = replicas
        # The replicas of a worker take the ports after its first; should one be taken, `up` says so.
        self.ports = {name: free_port() for name in PORTS}
        self.url = f"http://{HOST}:{self.ports['GATEWAY_PORT']}"
        self._supervisor = Supervisor(directory)
        self._supervisor_pid = 0
        self._products: dict[str, list[int]] = {}

    @contextmanager
    def running(self) -> Iterator["Ours"]:
        shutil.rmtree(self.directory, ignore_errors=True)
        try:
            with running(self._up, START_SECONDS) as up:
                self._supervisor_pid = up.pid
                self._stock_up()
                self._pause()
                yield self
        finally:
            for data in ("mysql", "redis"):
                shutil.rmtree(self.directory / data, ignore_errors=True)

    @property
    def _up(self) -> Helper:
        environment = {name: str(port) for name, port in self.ports.items()}
        environment |= {"LOCAL_DIR": str(self.directory), "REPLICAS": str(self.replicas), "RUNTIME": "local"}
        words = [sys.executable, "-m", "local.up"]
        return Helper("up", self.directory, words, self.ports["GATEWAY_PORT"], environment, "/health")

    @contextmanager
    def resumed(self) -> Iterator[Subject]:
        self._supervisor.start([*PROCESSES, *GATEWAY])
        wait_until(self._up.is_ready, START_SECONDS, lambda: f"{self.url}/health does not answer 200.")
        try:
            yield Subject(self.url, self._products, self.processes, self.drain, self.some_orders, self._supervisor_pid)
        finally:
            self._pause()

    def _pause(self) -> None:
        self._supervisor.stop([*GATEWAY, *PROCESSES])

    def _stock_up(self) -> None:
        self._products = {"hot": self._create(1, STOCK), "soldout": self._create(100, 0)}
        self.use_products(self._create(100, STOCK))

    def use_products(self, ids: list[int]) -> None:
        """Place, read and mix with these from now on."""
        self._products |= {"place": ids, "read": ids, "mix": ids}

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
    def _root(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        connection = MySQL(self.directory / "mysql", self.ports["MYSQL_PORT"]).admin()
        connection.autocommit(True)
        return connection

    @cached_property
    def _redis(self) -> Redis:
        return Redis(host=HOST, port=self.ports["REDIS_PORT"])

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
        ages = [self._age_of_oldest(stream.name) for stream in (ORDERING, FULFILMENT)]
        return Backlog(int(self.number(UNFINISHED)), int(self.number(OUTBOX)), max(ages))

    def _age_of_oldest(self, stream: str) -> float:
        """In seconds, by Redis's own clock; an entry's id begins with its time."""
        entries: Any = self._redis.xrange(stream, count=1)
        seconds, microseconds = self._redis.time()
        now = seconds + microseconds / 1e6
        return now - int(entries[0][0].partition(b"-")[0]) / 1000 if entries else 0.0

    def drain(self) -> None:
        """Until no order waits for anything, and what told of them is cleared away."""
        wait_until(self._idle, DRAIN_SECONDS, lambda: f"The pipeline does not drain: {self.backlog()}")

    def _idle(self) -> bool:
        time.sleep(0.5)  # asking as often as wait_until would is a load of its own
        return not self.number(UNFINISHED) and not self.number(OUTBOX)
