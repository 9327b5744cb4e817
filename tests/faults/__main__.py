"""`python -m faults`: breaks the whole system for some minutes and says whether it kept its promises."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from faults import clocks
from faults.report import Demands, Verdict
from faults.run import Run
from harness.layout import Addresses
from local.binaries import ensure_installed

SHORT_MINUTES = 2.2  # and half a minute before and after


def main() -> int:
    parser = argparse.ArgumentParser(prog="./justw faults")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="play the storms of an earlier run again")
    parser.add_argument("--short", action="store_true", help="at most 3 minutes")
    parser.add_argument(
        "--addresses",
        type=Addresses,
        choices=list(Addresses),
        help="whether the replicas of an api share a socket, as in `./justw up`, or have addresses of their own behind the "
        "gateway, as in compose; the seed decides otherwise",
    )
    parser.add_argument("--keep", action="store_true", help="keep the logs even if nothing is wrong")
    parser.add_argument("--fail-fast", action="store_true", help="end after the first storm with a violation")
    given = parser.parse_args()
    console = Console(soft_wrap=True)
    seed = given.seed if given.seed is not None else secrets.randbelow(2**31)
    minutes = min(given.minutes, SHORT_MINUTES) if given.short else given.minutes
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    ensure_installed(directory / "install.log")
    clocks.ensure_installed(directory / "install.log")
    addresses = given.addresses or (Addresses.OWN if seed % 2 else Addresses.SHARED)
    asked = demands(minutes, short=given.short)
    console.print(f"seed {seed}, {minutes:g} minutes, {addresses} addresses, logs in {directory}", highlight=False)
    console.print(f"this long a run must bring at least {asked}", highlight=False)
    run = Run(seed, minutes, asked, console, given.fail_fast, addresses)
    report = uvloop.run(run.go(directory))
    report.show(console)
    if report.verdict() is not Verdict.FAILED and not given.keep:
        shutil.rmtree(directory)
    return report.verdict()


def demands(minutes: float, *, short: bool) -> Demands:
    """In proportion to the time: ten minutes bring at least 3,000 orders, 150 kills and 40 cuts, and every crash point."""
    part = min(1.0, minutes / 10)
    half = 0.5 if short else 1
    return Demands(
        acknowledged=int(3000 * part),
        unknown=max(1, int(20 * part)),
        kills=int(150 * part * half),
        cuts=int(40 * part),
        cancels=max(1, int(100 * part)),
        refusals=max(1, int(60 * part)),
        early_cancels=max(1, int(20 * part)),
        forced_cancels=int(5 * part),
        redrives=max(1, int(20 * part)),
        looks=int(minutes * 15),
        hidden=max(1, int(200 * part)),
        crash_points=part * half,
    )


if __name__ == "__main__":
    sys.exit(main())
