"""`python -m faults.failing_worker`: fulfilment's worker with a step that sometimes fails and has an outside effect.

The effect is a line in a file that outlives every crash: it must never be there for an order that was cancelled.
"""

import argparse
import asyncio
import os
from pathlib import Path

from chassis.process import logs
from chassis.process.serve import serve
from fulfilment import worker
from fulfilment.fulfilments import Fulfilment
from fulfilment.settings import Settings
from fulfilment.step import Commit, Step

AFTER_ITS_EFFECT = "after the effect, until redriven"


class InjectedFailure(Exception):
    """An injected failure."""


def fails_once(order_id: int) -> bool:
    return order_id % 29 == 7


def fails_until_redriven(order_id: int) -> bool:
    return order_id % 37 == 11


def fails_after_its_effect(order_id: int) -> bool:
    return order_id % 31 == 5


def failing_step(seconds: float, effects: Path) -> Step:
    async def process(fulfilment: Fulfilment, commit: Commit) -> None:
        await asyncio.sleep(seconds)
        if fails_until_redriven(fulfilment.order_id) and fulfilment.revision == 1:
            raise InjectedFailure("until redriven")
        if fails_once(fulfilment.order_id) and fulfilment.failures == 0:
            raise InjectedFailure("once")
        await commit()
        _happen(effects, fulfilment.order_id)
        await asyncio.sleep(seconds / 10)
        if fails_after_its_effect(fulfilment.order_id) and fulfilment.revision == 1:
            raise InjectedFailure(AFTER_ITS_EFFECT)

    return process


def _happen(effects: Path, order_id: int) -> None:
    """One write to an O_APPEND file: whole or not at all, whoever else writes."""
    with effects.open("ab", buffering=0) as file:
        file.write(f"{order_id}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m faults.failing_worker")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    logs.configure("fulfilment.worker")
    settings = Settings()
    step = failing_step(settings.processing_seconds, Path(os.environ["EFFECTS"]))
    serve(worker.build(settings, step), host="127.0.0.1", port=given.port, fd=None)


if __name__ == "__main__":
    main()
