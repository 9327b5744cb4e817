"""What can be put under load."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from bench import usage
from bench.wrk import Load
from local.gateway_server import get
from local.processes import running
from local.topology import HOST, ROOT

BENCH_PYTHON = ROOT / ".tools/bench/bin/python"
HUNDRED = list(range(1, 101))


@dataclass(frozen=True)
class Subject:
    """`products` are the ids by scenario; `processes` the roots of what serves, by name; `drain` waits until all is done.

    `supervisor` is the pid of what has started these, if that serves too: it collects their log lines.
    """

    url: str
    products: Mapping[str, list[int]]
    processes: Callable[[], Mapping[str, int]]
    drain: Callable[[], None] = lambda: None
    orders: Callable[[], list[int]] = lambda: [1]
    supervisor: int = 0

    def load(self, scenario: str, clients: int, seconds: float) -> Load:
        kind = scenario if scenario in {"read", "mix"} else "place"
        orders = self.orders() if kind == "mix" else [1]
        return Load(kind, self.url, clients, seconds, products=self.products[scenario], orders=orders)

    def cpu_seconds(self) -> dict[str, float]:
        """By process, since its start."""
        spent = {name: usage.cpu_seconds(pid) for name, pid in self.processes().items()}
        if self.supervisor:
            spent["supervisor"] = usage.cpu_seconds(self.supervisor) - sum(spent.values())
        return spent


@dataclass(frozen=True)
class Helper:
    """A process beside the system. With port 0 nobody asks whether it is ready."""

    name: str
    directory: Path
    words: list[str]
    port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/livez"

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        return ["env", *(f"{name}={value}" for name, value in self.environment.items()), *self.words]

    def is_ready(self) -> bool:
        return not self.port or get(self.port, self.ready)[0] == HTTPStatus.OK

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Its pid."""
        with running(self) as process:
            yield process.pid


def uvicorn(app: str, port: int, *, workers: int, python: Path | str = sys.executable) -> list[str]:
    options = ["--host", HOST, "--port", str(port), "--workers", str(workers), "--backlog", "4096"]
    return [str(python), "-m", "uvicorn", app, *options, "--no-access-log", "--log-level", "warning"]
