"""`./justw fuzz`: attack a system of its own with generated requests for some minutes."""

import logging
import random
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from fuzz.attack import Attack
from fuzz.run import Target, target
from fuzz.tally import Tally

CASES_PER_ROUTE = 20  # of each kind and round


def attack(
    minutes: Annotated[float, typer.Option(help="How long, but never less than one round.")] = 5.0,
    seed: Annotated[int | None, typer.Option(help="The same one makes the same requests.")] = None,
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
    """Once through everything, then one random round after the other, each with another seed."""
    tally = Tally()
    over_at = time.monotonic() + seconds
    for one in attacked.attacks(tally, seed=seed, cases_per_route=CASES_PER_ROUTE):
        _run(one, tally)
    rounds = (
        one
        for number in count(1)
        for one in attacked.attacks(tally, seed=seed + number, cases_per_route=CASES_PER_ROUTE, boundaries=False)
    )
    while time.monotonic() < over_at:
        _run(next(rounds), tally)
    attacked.require_alive(tally)
    return tally


def _run(one: Attack, tally: Tally) -> None:
    one.run()
    typer.echo(f"{tally.cases.total():,} requests, {len(tally.found)} found")


if __name__ == "__main__":
    typer.run(attack)
