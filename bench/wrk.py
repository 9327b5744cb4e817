"""The load generator: wrk, in one thread, with the script beside this file."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.processes import tethered

SCRIPT = Path(__file__).with_name("load.lua")
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """`rate` is a pace in requests a second, 0 for as fast as the answers come.

    After `stop_after` answers no more is asked (0: never); wrk itself stays until its time is up.
    """

    kind: str
    url: str
    clients: int
    seconds: float
    products: Sequence[int] = (1,)
    orders: Sequence[int] = (1,)
    path: str = "/"
    rate: float = 0
    stop_after: int = 0


@dataclass(frozen=True)
class Window:
    """What came of a load. `wrk_seconds` is the CPU the generator took; `cpu_ms` what each process did per good answer."""

    seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float
    longest_ms: float
    broken: int
    refused_without_time: int
    wrk_seconds: float
    cpu_ms: Mapping[str, float] = field(default_factory=dict)

    def count(self, *statuses: int) -> int:
        return sum(self.statuses.get(str(status), 0) for status in statuses)

    def rate(self, *statuses: int) -> float:
        return self.count(*statuses) / self.seconds

    def others(self, *statuses: int) -> dict[str, int]:
        """What was answered beside these."""
        return {status: count for status, count in self.statuses.items() if int(status) not in statuses}


class Running:
    """wrk under way."""

    def __init__(self, load: Load) -> None:
        self._process = subprocess.Popen(tethered(_command(load)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def result(self) -> Window:
        """Wait for its end."""
        output = self._process.communicate()[0].decode(errors="replace")
        try:
            return Window(**json.loads(output.strip().splitlines()[-1]))
        except (IndexError, TypeError, json.JSONDecodeError):
            raise LocalError(f"wrk failed: {output}") from None


def run(load: Load) -> Window:
    return Running(load).result()


def _command(load: Load) -> list[str]:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LocalError("wrk can't be found: install it (apt-get install wrk).")
    options = ["-t1", f"-c{load.clients}", f"-d{max(1, round(load.seconds))}s", f"--timeout={PATIENCE_SECONDS}s"]
    given = [f"{name}={_text(value)}" for name, value in vars(load).items()]
    return [wrk, *options, "-s", str(SCRIPT), load.url, "--", *given]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
