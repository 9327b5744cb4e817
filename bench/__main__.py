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

from bench import page, tables
from bench.burst import burst
from bench.cells import OTHERS, SCENARIOS, Cell, chosen
from bench.growth import grow
from bench.ours import Ours
from bench.peak import find_peak
from bench.profiles import profile
from bench.results import Results
from bench.rounds import Plan, play
from bench.soak import soak
from bench.usual_design import rates_by_threads
from bench.wrk import Window
from local.errors import LocalError
from local.topology import ROOT

PLACE = ROOT / ".local/bench"
PAGE = ROOT / "docs/performance.md"
WIDTH = 150  # of the tables in a file
ALL = (*SCENARIOS, *OTHERS)


def _names(only: str) -> list[str]:
    names = [name.strip() for name in only.split(",") if name.strip()] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(ALL)}")
    return names


def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Windows of 3 s, one round: does it work?")] = False,
    rounds: Annotated[int | None, typer.Option(help="3, or 1 with --quick")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of a window: 30, or 3")] = None,
    soak_seconds: Annotated[float | None, typer.Option(help="600, or 20")] = None,
    orders: Annotated[int | None, typer.Option(help="In the full tables: 1,000,000, or 20,000")] = None,
    only: Annotated[str, typer.Option(help=f"Some of {','.join(ALL)}")] = "",
    replicas: Annotated[int, typer.Option(help="Of every api and worker")] = 1,
    profiles: Annotated[
        bool, typer.Option("--profile", help="Watch our processes place orders, measure nothing")
    ] = False,
) -> None:
    """Measure the system. A whole run, and none but that, is written into docs/performance.md."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    names = _names(only)
    plan = Plan(rounds or (1 if quick else 3), seconds or (3 if quick else 30), 1 if quick else 5)
    soaking, filling = soak_seconds or (20 if quick else 600), orders or (20_000 if quick else 1_000_000)
    # A SIGTERM, too, must leave through every block that stops something.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if profiles:
            with Ours(PLACE / "system", replicas).running() as ours:
                ours.subject()
                ours.pause()
                profile(ours, plan.seconds, PLACE / "profiles", console)
            return
        found = _measure(names, plan, soaking, filling, replicas, console)
    except LocalError as error:
        raise SystemExit(str(error)) from None
    tables.print_to(console, found)
    whole = not (quick or only)
    written = page.write_docs(found, PAGE) if whole else page.write_report(found, PLACE / "report")
    console.print(f"Written: {written}")


def _measure(names: list[str], plan: Plan, soaking: float, filling: int, replicas: int, console: Console) -> Results:
    started = time.monotonic()
    found = Results(_about(plan, replicas))
    if set(names) - {"growth"}:
        with Ours(PLACE / "system", replicas).running() as ours:
            ours.subject()
            ours.pause()
            _measure_one_system(found, ours, names, plan, soaking, console)
    if "growth" in names:
        found.growth = grow(PLACE, replicas, filling, plan, console.print)
    found.about["took"] = f"{(time.monotonic() - started) / 60:.0f} min"
    return found


def _measure_one_system(
    found: Results, ours: Ours, names: list[str], plan: Plan, soaking: float, console: Console
) -> None:
    cells = chosen(names)
    if any(cell.subject == "usual" for cell in cells):
        rates = rates_by_threads(PLACE, ours, max(4, plan.seconds / 3))
        plan = replace(plan, usual_threads=max(rates, key=rates.__getitem__))
        tried = ", ".join(f"{threads}: {rate:,.0f}/s" for threads, rate in rates.items())
        found.about["threads of the usual design"] = f"{plan.usual_threads} (tried {tried})"
        console.print(f"the usual design has {found.about['threads of the usual design']} threads", highlight=False)
    for number, cell, window in play(cells, plan, ours, PLACE):
        found.add(cell, window)
        console.print(f"round {number + 1}  {_line(cell, window)}", highlight=False)
    if {"burst", "peak", "soak", "overload"} & set(names):
        with ours.resumed():
            _measure_alone(found, ours, names, plan, soaking, console)


def _measure_alone(found: Results, ours: Ours, names: list[str], plan: Plan, soaking: float, console: Console) -> None:
    for _ in range(plan.rounds if "burst" in names else 0):
        found.bursts.append(burst(ours))
        console.print(f"burst    {found.bursts[-1]}", highlight=False)
    if {"peak", "soak", "overload"} & set(names):
        found.peak = find_peak(ours, plan.seconds)
        console.print(f"peak     {found.peak.rate:,.0f}/s", highlight=False)
    if "soak" in names and found.peak is not None:
        found.soak = soak(ours, found.peak, soaking)
        console.print(f"soak     {found.soak.rate:,.0f}/s; {found.soak.failures() or 'all well'}", highlight=False)


def _line(cell: Cell, window: Window) -> str:
    rate = f"{window.rate(*cell.good):8,.0f}/s"
    times = f"p50 {window.p50_ms:8.1f} ms  p99 {window.p99_ms:8.1f} ms"
    others = window.others(*cell.good)
    return f"{cell!s:22}{rate}  {times}  wrk {window.cores['wrk']:.0%}" + (f"  also {others}" if others else "")


def _about(plan: Plan, replicas: int) -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "Python": platform.python_version(),
        "database": _output("mysqld", "--version").partition("Ver ")[2].partition(" for ")[0],
        "rounds": f"{plan.rounds} of {plan.seconds:g} s windows",
        "replicas": replicas,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in info if line.startswith("model name")), platform.machine())


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


if __name__ == "__main__":
    typer.run(bench)
