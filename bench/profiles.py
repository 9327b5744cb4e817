"""Where the time goes: py-spy on each of our Python processes while orders are placed."""

import subprocess
from collections import Counter
from pathlib import Path

from rich.console import Console

from bench.cells import MANY
from bench.ours import Ours
from bench.subject import BENCH_PYTHON
from bench.wrk import Running
from local.errors import LocalError
from local.processes import tethered

PY_SPY = BENCH_PYTHON.with_name("py-spy")
NOT_PYTHON = {"mysql", "redis", "gateway"}
WARM_UP_SECONDS = 3
SHOWN = 15


def profile(ours: Ours, seconds: float, into: Path, console: Console) -> None:
    """One file a process, in the folded form that flame graph tools read, and the top of each on the terminal."""
    if not PY_SPY.exists():
        raise LocalError(f"{PY_SPY} is missing: start the benchmark with ./justw bench, which installs it.")
    into.mkdir(parents=True, exist_ok=True)
    with ours.resumed() as subject:
        load = Running(subject.load("place", MANY, seconds + 2 * WARM_UP_SECONDS))
        names = {name: pid for name, pid in ours.processes().items() if name not in NOT_PYTHON}
        spies = {name: _spy(pid, seconds, into / f"{name.replace(' ', '-')}.folded") for name, pid in names.items()}
        for spy in spies.values():
            spy.wait()
        console.print(f"{load.result().rate(201):,.0f} orders a second while being watched; the profiles are in {into}")
        subject.drain()
    for name in spies:
        _show(name, into / f"{name.replace(' ', '-')}.folded", console)


def _spy(pid: int, seconds: float, file: Path) -> "subprocess.Popen[bytes]":
    # Only who holds the GIL: py-spy takes many a thread that waits for work, or for MySQL, for one that runs.
    options = ["--gil", "--pid", str(pid), "--duration", f"{seconds:.0f}", "--rate", "200", "--format", "raw"]
    command = [str(PY_SPY), "record", *options, "--output", str(file)]
    return subprocess.Popen(tethered(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _show(name: str, file: Path, console: Console) -> None:
    """What ran itself, and what was somewhere on the stack, in shares of the samples."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in file.read_text().splitlines() if file.exists() else []:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        within.update({frame: int(count) for frame in frames})
    total = max(1, own.total())
    console.rule(f"{name}: {total} samples")
    for title, counts in (("itself", own), ("on the stack", within)):
        for frame, samples in counts.most_common(SHOWN):
            console.print(f"{samples / total:6.1%} {title}: {frame}", markup=False, highlight=False)
