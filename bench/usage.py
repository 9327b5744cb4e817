"""What processes take, from Linux's /proc: a process counts with everything it has started."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    return sum(int(stat[11]) + int(stat[12]) for stat in _stats(pid)) / TICKS


def memory_mb(pid: int) -> float:
    return sum(int(stat[21]) for stat in _stats(pid)) * PAGE / 2**20


def cost(before: Mapping[str, float], after: Mapping[str, float], idle: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds by process between two readings, less those that it would have taken for idling."""
    return {name: max(0.0, after[name] - before[name] - idle.get(name, 0)) for name in after}


def _stats(pid: int) -> Iterator[list[str]]:
    """The fields of /proc/PID/stat after the name, which may hold anything. One that has just ended has none."""
    process = Path(f"/proc/{pid}")
    try:
        stat = (process / "stat").read_text()
        children = [child for file in process.glob("task/*/children") for child in file.read_text().split()]
    except OSError:
        return
    yield stat.rpartition(")")[2].split()
    for child in children:
        yield from _stats(int(child))
