"""What processes take, from Linux's /proc: a process counts with everything it has started."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Usage:
    """All processes at one moment."""

    processes: dict[int, _Process]

    @classmethod
    def now(cls) -> "Usage":
        found = (_read(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return cls({process.pid: process for process in found if process is not None})

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for process in self.processes.values():
            children.setdefault(process.parent, []).append(process.pid)
        return children

    def _tree(self, root: int) -> list[_Process]:
        if root not in self.processes:
            return []
        below = [process for child in self._children.get(root, []) for process in self._tree(child)]
        return [self.processes[root], *below]

    def cpu_seconds(self, root: int) -> float:
        return sum(process.cpu_seconds for process in self._tree(root))

    def memory_mb(self, root: int) -> float:
        return sum(process.memory_bytes for process in self._tree(root)) / 2**20


def _read(pid: int) -> _Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it has just ended
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    return _Process(pid, int(fields[1]), cpu, int(fields[21]) * PAGE)
