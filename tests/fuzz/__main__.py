"""`./justw fuzz`: attack a system of its own with generated requests for some minutes."""

import logging
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from fuzz.run import Target, target
from fuzz.tally import Tally

CASES_PER_ROUTE = 20  # of each kind, before what is left of the time goes to random sequences
SLICE_SECONDS = 20


def attack(
    minutes: Annotated[float, typer.Option(help="How long, but never less than each way once.")] = 5.0,
    seed: Annotated[int | None, typer.Option(help="The same one makes the same requests, to each way once.")] = None,
) -> None:
    """Send generated requests to every route, right ones and wrong ones, and say what must not have happened."""
    logging.disable()  # the answers of the services are what counts
    seed = random.randrange(2**31) if seed is None else seed
    typer.echo(f"seed {seed}")
    with tempfile.TemporaryDirectory() as directory, target(Path(directory)) as attacked:
        tally = _attacked(attacked, minutes * 60, seed)
    typer.echo("\n".join(tally.lines()))
    typer.echo("Failed." if tally.failed else "Passed.")
    sys.exit(1 if tally.failed else 0)


def _attacked(attacked: Target, seconds: float, seed: int) -> Tally:
    tally = Tally()
    over_at = time.monotonic() + seconds
    attacks = attacked.attacks(tally, seed=seed, cases_per_route=CASES_PER_ROUTE)
    for one in attacks:
        one.each_way_once()
        _say(tally)
    while (left := int(over_at - time.monotonic())) > 0:
        for one in attacks:
            one.at_random(min(SLICE_SECONDS, left // len(attacks) + 1))
        _say(tally)
    attacked.require_alive(tally)
    return tally


def _say(tally: Tally) -> None:
    typer.echo(f"{tally.cases.total():,} requests, {len(tally.found)} found")


if __name__ == "__main__":
    typer.run(attack)
