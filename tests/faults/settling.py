"""Whether the system has settled: nothing from before the heal is in doubt, in work, unsent or unacknowledged."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import redis

from contracts.streams import FULFILMENT, ORDERING
from faults.snapshot import reader, rows
from faults.whole_system import CHECKER, WholeSystem

LOOK_SECONDS = 0.25
STREAMS = (ORDERING, FULFILMENT)


@dataclass(frozen=True)
class Mark:
    """How far everything had come. What is newer belongs to the load that goes on, as do new redrives and cancels."""

    order_id: int
    step_id: int
    outboxes: dict[str, int]
    entries: dict[str, str]


def mark(system: WholeSystem) -> Mark:
    with reader(system.mysql.port, CHECKER) as connection:
        order_id, step_id = (
            rows(connection, f"SELECT COALESCE(MAX(id), 0) AS id FROM ordering.{table}")[0]["id"]
            for table in ("orders", "order_steps")
        )
        outboxes = {
            service: rows(connection, f"SELECT COALESCE(MAX(id), 0) AS id FROM {service}.outbox")[0]["id"]
            for service in ("ordering", "fulfilment")
        }
    with redis.Redis(port=system.redis.port) as client:
        entries = {stream.name: _last_entry(client, stream.name) for stream in STREAMS}
    return Mark(order_id, step_id, outboxes, entries)


def _last_entry(client: "redis.Redis", stream: str) -> str:
    entries = client.xrevrange(stream, count=1)
    return _text(entries[0][0]) if entries else "0-0"


def _text(entry_id: Any) -> str:
    return entry_id.decode() if isinstance(entry_id, bytes) else str(entry_id)


def unsettled(system: WholeSystem, before: Mark) -> dict[str, int]:
    """How many of each kind are left; empty when settled."""
    with reader(system.mysql.port, CHECKER) as connection:
        found = {
            f"orders {row['state']}": int(row["n"])
            for row in rows(connection, UNSETTLED.format(before.order_id, before.step_id))
        }
        found["fulfilments without a living worker"] = rows(connection, OWNERLESS)[0]["n"]
        for service, last in before.outboxes.items():
            unsent = f"SELECT COUNT(*) AS n FROM {service}.outbox WHERE id <= {last} AND sent = 0"
            found[f"unsent batches of {service}"] = rows(connection, unsent)[0]["n"]
    with redis.Redis(port=system.redis.port) as client:
        for stream in STREAMS:
            for group in stream.groups:
                found[f"entries of {stream.name} not acknowledged"] = _pending(client, stream.name, group, before)
    return {what: count for what, count in found.items() if count}


def _pending(client: "redis.Redis", stream: str, group: str, before: Mark) -> int:
    try:
        return len(client.xpending_range(stream, group, "-", before.entries[stream], count=1000))
    except redis.ResponseError:
        return 1  # no stream or no group: its reader has not come back yet


UNSETTLED = """
    SELECT state, COUNT(*) AS n FROM ordering.orders
    WHERE id <= {} AND state IN ('pending', 'placed', 'cancelling', 'releasing') AND id NOT IN
    (SELECT order_id FROM ordering.order_steps WHERE id > {} AND step IN ('redriven', 'cancel_requested')) GROUP BY state
"""
OWNERLESS = """
    SELECT COUNT(*) AS n FROM fulfilment.fulfilments WHERE state IN ('processing', 'committing') AND owner NOT IN
    (SELECT id FROM fulfilment.workers WHERE beat_at BETWEEN NOW(6) - INTERVAL 10 SECOND AND NOW(6) + INTERVAL 10 SECOND)
"""


async def settle(system: WholeSystem, within: float) -> tuple[float, dict[str, int]]:
    """Seconds it took, and what is left when that was too long."""
    started = time.monotonic()
    before = await asyncio.to_thread(mark, system)
    while left := await asyncio.to_thread(unsettled, system, before):
        if time.monotonic() - started > within:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - started, left
