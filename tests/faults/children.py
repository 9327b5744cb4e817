"""The processes that the run breaks: started by us, so that their exit statuses are ours to read."""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faults.clocks import Clock
from local.processes import Child


@dataclass
class Breakable(Child):
    """`expected_end` says why it is expected to die; a death that nobody expected is a finding."""

    extra: dict[str, str] = field(default_factory=dict)
    clock: Clock | None = None
    expected_end: str | None = None
    held_down: bool = False
    asked_to_go: bool = False
    started_at: float = 0.0

    @property
    def kind(self) -> str:
        """Its name without the replica's number."""
        return self.name.rstrip("-0123456789")

    def start(self) -> None:
        super().start()
        self.expected_end = self.armed_with
        self.asked_to_go = False
        self.started_at = time.monotonic()

    def variables(self) -> Mapping[str, str]:
        return {**self.environment, **self.extra, **(self.clock.environment() if self.clock else {})}

    @property
    def armed_with(self) -> str | None:
        """The crash point it was last started with."""
        return self.extra.get("CRASH_POINT")

    def kill(self) -> None:
        if self.runs:
            self.expected_end = "SIGKILL"
        super().kill()

    def terminate(self) -> None:
        self.expected_end = "SIGTERM"
        super().terminate()

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
        if self.runs:
            self.thaw()
            self.stop(within=10)


class ProcessGroup(Breakable):
    """nginx under `infra/local/process_group.py`: signals go to master and workers, the wrapper follows by itself."""

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
