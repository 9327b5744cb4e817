"""Rolling restarts: one replica after another. No client may notice, and each must say goodbye with status 0."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from faults.children import Breakable
from faults.keeper import Keeper
from faults.ledger import Ledger

DRAINED_WITHIN = 15.0
STARTED = "listening on"


async def rolling(children: Sequence[Breakable], turns: asyncio.Semaphore, ledger: Ledger, keeper: Keeper) -> list[str]:
    """What was not as it must be. `turns` are those of all restarts that go on at once."""
    began = time.monotonic()
    found = []
    for child in children:
        async with turns:
            found += await _restart(child, keeper)
    errors = ledger.errors_since(began)
    return found + ([f"rolling restart of {children[0].kind}: clients saw {Counter(errors)}"] if errors else [])


async def _restart(child: Breakable, keeper: Keeper) -> list[str]:
    life, written = child.started_at, len(child.log_text())
    found = []
    child.terminate()
    asked = time.monotonic()
    while child.started_at == life or STARTED not in child.log_text()[written:]:
        await asyncio.sleep(0.1)
        if child.started_at == life and time.monotonic() - asked > DRAINED_WITHIN:
            found.append(f"{child.name} did not drain within {DRAINED_WITHIN} s")
            child.kill()
            asked = time.monotonic()
    last = [death for death in keeper.deaths if death.name == child.name][-1]
    return found + ([f"{child.name} ended a SIGTERM with status {last.status}"] if last.status != 0 else [])
