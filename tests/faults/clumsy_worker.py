"""`python -m faults.clumsy_worker worker`: fulfilment's worker with a step that sometimes fails and has an outside effect.

The effect is a line in a file that outlives every crash: it must never be there for an order that was cancelled.
"""

import asyncio
import os
import sys
from pathlib import Path

from fastapi import FastAPI

from chassis import logs
from chassis.serve import serve
from fulfilment import settings, worker
from fulfilment.fulfilments import Fulfilment
from fulfilment.step import Commit, Step


class Clumsy(Exception):
    """An injected failure."""


def fails_once(order_id: int) -> bool:
    return order_id % 29 == 7


def fails_until_redriven(order_id: int) -> bool:
    return order_id % 67 == 11


def clumsy(seconds: float, effects: Path) -> Step:
    async def process(fulfilment: Fulfilment, commit: Commit) -> None:
        await asyncio.sleep(seconds)
        if fails_until_redriven(fulfilment.order_id) and fulfilment.revision == 1:
            raise Clumsy("until redriven")
        if fails_once(fulfilment.order_id) and fulfilment.failures == 0:
            raise Clumsy("once")
        await commit()
        _happen(effects, fulfilment.order_id)
        await asyncio.sleep(seconds / 10)

    return process


def _happen(effects: Path, order_id: int) -> None:
    """One write to an O_APPEND file: whole or not at all, whoever else writes."""
    with effects.open("ab", buffering=0) as file:
        file.write(f"{order_id}\n".encode())


def build() -> FastAPI:
    given = settings.Settings()
    return worker.build(given, clumsy(given.processing_seconds, Path(os.environ["EFFECTS"])))


if __name__ == "__main__":
    logs.configure("fulfilment.worker")
    serve(build(), host="127.0.0.1", port=int(sys.argv[sys.argv.index("--port") + 1]), fd=None)
