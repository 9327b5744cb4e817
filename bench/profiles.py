"""Where the time goes: py-spy on each of our Python processes while orders are placed."""

import subprocess
from collections import Counter
from pathlib import Path

from rich.console import Console

from bench.cells import MANY
from bench.ours import Ours
from bench.subject import BENCH_PYTHON
from bench.wrk import Running
from local.processes import tethered

PY_SPY = BENCH_PYTHON.with_name("py-spy")
NOT_PYTHON = {"mysql", "redis", "gateway"}
WARM_UP_SECONDS = 3
SHOWN = 15


def profile(ours: Ours, seconds: float, into: Path, console: Console) -> None:
    """One file a process, in the folded form that flame graph tools read, and the top of each on the terminal."""
    into.mkdir(parents=True, exist_ok=True)
    with ours.resumed() as subject:
        load = Running(subject.load("place", MANY, seconds + 2 * WARM_UP_SECONDS))
        pids = {name: pid for name, pid in ours.processes().items() if name not in NOT_PYTHON}
        files = {name: into / f"{name.replace(' ', '-')}.folded" for name in pids}
        spies = [_spy(pid, seconds, files[name]) for name, pid in pids.items()]
        for spy in spies:
            spy.wait()
        console.print(f"{load.result().rate(201):,.0f} orders a second while being watched; the profiles are in {into}")
    for name, file in files.items():
        console.rule(name)
        _show(file.read_text().splitlines(), console)


def _spy(pid: int, seconds: float, file: Path) -> "subprocess.Popen[bytes]":
    # Only who holds the GIL: py-spy takes many a thread that waits for work, or for MySQL, for one that runs.
    options = ["--gil", "--pid", str(pid), "--duration", f"{seconds:.0f}", "--rate", "200", "--format", "raw"]
    command = [str(PY_SPY), "record", *options, "--output", str(file)]
    return subprocess.Popen(tethered(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _show(folded: list[str], console: Console) -> None:
    """What ran itself, and what was somewhere on the stack, in shares of the samples."""
    counts = {"itself": Counter[str](), "on the stack": Counter[str]()}
    for line in folded:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        counts["itself"][frames[-1]] += int(count)
        counts["on the stack"].update(dict.fromkeys(frames, int(count)))
    total = counts["itself"].total()
    for title, found in counts.items():
        for frame, samples in found.most_common(SHOWN):
            console.print(f"{samples / total:6.1%} of {total} samples {title}: {frame}", markup=False)
