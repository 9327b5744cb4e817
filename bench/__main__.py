"""The command line."""

import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import report
from bench.burst import burst
from bench.cells import OTHERS, SCENARIOS, Cell, chosen
from bench.growth import grow
from bench.ours import Ours
from bench.peak import find_peak, peak_of
from bench.profiles import profile
from bench.results import Results
from bench.rounds import QUICK, Plan, play
from bench.soak import soak
from bench.subject import Subject
from bench.usual_design import rates_by_threads
from bench.wrk import Window
from local.errors import LocalError
from local.topology import ROOT

PLACE = ROOT / ".local/bench"
PAGE = ROOT / "docs/performance.md"
ALL = (*SCENARIOS, *OTHERS)
console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)


def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help=f"{QUICK}: does it work?")] = False,
    rounds: Annotated[int | None, typer.Option(help="3, or 1 with --quick")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of a window: 30, or 3")] = None,
    soak_seconds: Annotated[float | None, typer.Option(help="600, or 20")] = None,
    orders: Annotated[int | None, typer.Option(help="In the full tables: 1,000,000, or 20,000")] = None,
    only: Annotated[str, typer.Option(help=f"Some of {','.join(ALL)}")] = "",
    replicas: Annotated[int, typer.Option(help="Of every api and worker")] = 1,
    profiles: Annotated[bool, typer.Option("--profile", help="Watch our processes place orders")] = False,
) -> None:
    """Measure the system. A whole run, however long, is written into docs/performance.md; --quick and --only are not."""
    names = only.split(",") if only else list(ALL)
    if not set(names) <= set(ALL):
        raise typer.BadParameter(f"there are {', '.join(ALL)}", param_hint="--only")
    given: dict[str, Any] = {"rounds": rounds, "seconds": seconds, "soak_seconds": soak_seconds, "orders": orders}
    plan = replace(QUICK if quick else Plan(), **{name: value for name, value in given.items() if value})
    # A SIGTERM, too, must leave through every block that stops something.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if profiles:
            with Ours(PLACE / "system", replicas).running() as ours:
                profile(ours, plan.seconds, PLACE / "profiles", console)
            return
        found = _measure(names, plan, replicas)
        report.print_to(console, found)
        console.print(f"Written: {report.write(found, PLACE / 'report')}")
        if not (quick or only):
            console.print(f"Written: {report.write_figures(found, PAGE)}")
    except LocalError as error:
        raise SystemExit(str(error)) from None


def _measure(names: list[str], plan: Plan, replicas: int) -> Results:
    started = time.monotonic()
    found = Results({**_about(), "replicas": replicas, "rounds": str(plan)})
    if set(names) - {"growth"}:
        with Ours(PLACE / "system", replicas).running() as ours:
            _play(found, ours, chosen(names), plan)
            if {"burst", "peak", "soak", "overload"} & set(names):
                with ours.resumed() as subject:
                    _measure_alone(found, ours, subject, names, plan)
    if "growth" in names:
        found.growth = grow(PLACE, replicas, plan, console.print)
    found.about["took"] = f"{(time.monotonic() - started) / 60:.0f} min"
    return found


def _play(found: Results, ours: Ours, cells: list[Cell], plan: Plan) -> None:
    if any(cell.subject == "usual" for cell in cells):
        rates = rates_by_threads(PLACE, ours, max(4, plan.seconds / 3))
        plan = replace(plan, usual_threads=max(rates, key=rates.__getitem__))
        tried = ", ".join(f"{threads}: {rate:,.0f}/s" for threads, rate in rates.items())
        found.about["threads of the usual design"] = f"{plan.usual_threads} (tried {tried})"
    for number, cell, window in play(cells, plan, ours, PLACE):
        found.add(cell, window)
        console.print(f"round {number + 1}  {_line(cell, window)}")


def _line(cell: Cell, window: Window) -> str:
    rate, others = f"{window.rate(*cell.good):8,.0f}/s", window.others(*cell.good)
    return f"{cell!s:30}{rate}  p50 {window.p50_ms:8.1f} ms  p99 {window.p99_ms:8.1f} ms  {others or ''}"


def _measure_alone(found: Results, ours: Ours, subject: Subject, names: list[str], plan: Plan) -> None:
    for _ in range(plan.rounds if "burst" in names else 0):
        found.bursts.append(burst(ours, subject))
        console.print(found.bursts[-1])
    if {"peak", "soak", "overload"} & set(names):
        found.trials = find_peak(ours, subject, plan.seconds)
        console.print(*found.trials)
    if "soak" in names:
        found.soak = soak(ours, subject, peak_of(found.trials), plan.soak_seconds)
        console.print(f"soak     {found.soak.rate:,.0f}/s; {found.soak.failures() or 'all well'}")


def _about() -> dict[str, Any]:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(": ")[2] for line in info if line.startswith("model name")), platform.machine())
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output(f"git -C '{ROOT}' rev-parse --short HEAD"),
        "machine": f"{os.cpu_count()} cores, {processor}",
        "Python": platform.python_version(),
        "database": _output("mysqld --version").partition("Ver ")[2].partition(" for ")[0],
    }


def _output(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    typer.run(bench)
