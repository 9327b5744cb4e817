"""The processes that the run breaks: started by us, so that their exit statuses are ours to read."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faults.clocks import Clock
from local.processes import tethered


@dataclass
class Child:
    """`doomed` says why it is expected to die; a death that nobody expected is a finding."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: socket.socket | None = None
    extra: dict[str, str] = field(default_factory=dict)
    clock: Clock | None = None
    doomed: str | None = None
    held_down: bool = False
    asked_to_go: bool = False
    started_at: float = 0.0
    _popen: "subprocess.Popen[bytes] | None" = None

    @property
    def kind(self) -> str:
        """Its name without the replica's number."""
        return self.name.rstrip("-0123456789")

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                tethered(self.command),
                env=os.environ | self.environment | self.extra | (self.clock.environment() if self.clock else {}),
                stdin=self.stdin.fileno() if self.stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Python ignores SIGXFSZ, and a child that goes on doing so gets an error from a full disk, as from a real one.
                restore_signals=False,
            )
        self.doomed = self.armed_with
        self.asked_to_go = False
        self.started_at = time.monotonic()

    @property
    def armed_with(self) -> str | None:
        """The crash point it was last started with."""
        return self.extra.get("CRASH_POINT")

    @property
    def status(self) -> int | None:
        """Minus the signal that ended it; None while it runs, or before its first start."""
        return self._popen.poll() if self._popen else None

    @property
    def runs(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        assert self._popen is not None, "it was started"
        return self._popen.pid

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.runs:
                os.kill(self.pid, number)

    def kill(self) -> None:
        if self.runs:
            self.doomed = "SIGKILL"
        self.signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.doomed = "SIGTERM"
        self.signal(signal.SIGTERM)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def fill_disk(self, file: Path) -> None:
        """As far as this process is concerned: no file of it grows beyond the present size of this one."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (file.stat().st_size, resource.RLIM_INFINITY))

    def empty_disk(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def end(self) -> None:
        """For good, however it is."""
        self.held_down = True
        self.thaw()
        self.terminate()
        if self._popen is not None:
            try:
                self._popen.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
                self._popen.wait()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.is_file() else ""


class Family(Child):
    """nginx under `infra/local/family.py`: signals go to the master and its workers, the wrapper follows by itself."""

    def signal(self, number: signal.Signals) -> None:
        for pid in self._children():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    def _children(self) -> list[int]:
        if not self.runs:
            return []
        with contextlib.suppress(OSError):
            listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            return [int(pid) for pid in listed.split()]
        return []
