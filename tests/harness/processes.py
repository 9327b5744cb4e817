"""One process of a service: `python -m <service> <role>`."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from harness.engine import HOST
from local.processes import tethered

STOP_SECONDS = 20.0


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    with socket.create_server((HOST, port), backlog=2048) as shared:
        yield shared


@dataclass
class Process:
    """`name` is <service>-<role>-<replica>. With `shared`, a listening socket, it serves there."""

    name: str
    port: int
    shared: socket.socket | None = None
    log: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=dict)
    _popen: "subprocess.Popen[bytes] | None" = None

    def prepare(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.log = directory / f"{self.name}.log"
        self.environment = environment

    def start(self) -> None:
        """Does nothing while it runs."""
        if self.runs:
            return
        service, role, _ = self.name.split("-")
        where = ["--fd", "0"] if self.shared else ["--port", str(self.port)]
        command = tethered([sys.executable, "-m", service, role, *where])
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdin=self.shared.fileno() if self.shared else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def runs(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        assert self._popen is not None, "it was started"
        return self._popen.pid

    def terminate(self) -> None:
        if self._popen is not None:
            self._popen.terminate()

    def wait(self) -> int:
        """Its exit status."""
        assert self._popen is not None, "it was started"
        return self._popen.wait(STOP_SECONDS)

    def stop(self) -> int:
        self.terminate()
        return self.wait()

    def kill(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def is_ready(self) -> bool:
        """Of replicas that share a socket, any may answer."""
        assert self.runs, f"{self.name} ended:\n{self.log_text()[-3000:]}"
        try:
            return httpx.get(f"http://{HOST}:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.is_file() else ""
