"""The load generator: wrk, in one thread, with the script beside this file."""

import json
import resource
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.usage import Usage
from local.errors import LocalError
from local.processes import tethered

SCRIPT = Path(__file__).with_name("load.lua")
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """`rate` is a pace in requests a second, 0 for as fast as the answers come; `stop_after` a number of answers."""

    kind: str
    url: str
    clients: int
    seconds: float
    products: Sequence[int] = (1,)
    orders: Sequence[int] = (1,)
    path: str = "/"
    rate: float = 0
    stop_after: int = 0

    def lasting(self, seconds: float) -> "Load":
        return replace(self, seconds=seconds)

    def paced(self, rate: float) -> "Load":
        return replace(self, rate=rate)

    def until(self, answers: int) -> "Load":
        """No more requests after so many answers; wrk itself stays until its time is up."""
        return replace(self, stop_after=answers)


@dataclass(frozen=True)
class Window:
    """What came of a load. `cores` is the CPU each process took, 1 for a whole core, the generator's included."""

    seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float
    longest_ms: float
    broken: int
    refused_without_time: int
    cores: dict[str, float] = field(default_factory=dict)

    def rate(self, *statuses: int) -> float:
        return sum(self.statuses.get(str(status), 0) for status in statuses) / self.seconds

    def others(self, *statuses: int) -> dict[str, int]:
        """What was answered beside these."""
        return {status: count for status, count in self.statuses.items() if int(status) not in statuses}


class Running:
    """wrk under way. No other child of this process may end meanwhile: its CPU time is told from the children's."""

    def __init__(self, load: Load) -> None:
        self._cpu_before = _cpu_of_ended_children()
        self._process = subprocess.Popen(tethered(_command(load)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def result(self) -> Window:
        """Wait for its end."""
        output, _ = self._process.communicate()
        last = output.decode(errors="replace").strip().splitlines()[-1:]
        try:
            window = Window(**json.loads(last[0]))
        except (IndexError, TypeError, json.JSONDecodeError):
            raise LocalError(f"wrk failed: {output.decode(errors='replace')}") from None
        cpu = _cpu_of_ended_children() - self._cpu_before
        return replace(window, cores={"wrk": cpu / window.seconds})


def run(load: Load, processes: Callable[[], Mapping[str, int]]) -> Window:
    """The load, and the CPU that these processes (the roots of trees, by name) took for it."""
    roots = processes()
    before = Usage.now()
    window = Running(load).result()
    after = Usage.now()
    cores = {
        name: max(0.0, after.cpu_seconds(pid) - before.cpu_seconds(pid)) / window.seconds for name, pid in roots.items()
    }
    return replace(window, cores=window.cores | cores)


def _cpu_of_ended_children() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _command(load: Load) -> list[str]:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LocalError("wrk can't be found: install it (apt-get install wrk).")
    options = ["-t1", f"-c{load.clients}", f"-d{max(1, round(load.seconds))}s", f"--timeout={PATIENCE_SECONDS}s"]
    given = {
        "kind": load.kind,
        "products": ",".join(map(str, load.products)),
        "orders": ",".join(map(str, load.orders)),
        "path": load.path,
        "rate": load.rate,
        "stop_after": load.stop_after,
    }
    return [wrk, *options, "-s", str(SCRIPT), load.url, "--", *(f"{name}={value}" for name, value in given.items())]
