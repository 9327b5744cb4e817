"""What happens to streams: emptied, set back by a second, delivered twice and in disorder, and poisoned."""

import math
import random
import re
import time
from pathlib import Path

import redis

from contracts.batches import seal
from contracts.streams import FULFILMENT, ORDERING, PAYLOAD_FIELD

STREAMS = (ORDERING.name, FULFILMENT.name)
TIMESTAMP = re.compile(rb"#TS:(\d+)\r\n")
UNKNOWN_ORDER = 8_000_000_000_000_000_000

EVENT = b'{"version":1,"type":"%s","order_id":%d,"revision":1,"decided_at":"2026-01-01T00:00:00Z","worker":"nobody"}'
POISON: list[dict[bytes, bytes]] = [
    {b"other": b"field"},
    {PAYLOAD_FIELD: b""},
    {PAYLOAD_FIELD: b"\xff\xfe\x00\x80"},
    {PAYLOAD_FIELD: b"not JSON"},
    {PAYLOAD_FIELD: b'{"version":99,"events":[{"version":1,"type":"OrderPlaced","order_id":1,"revision":1}]}'},
    {PAYLOAD_FIELD: seal([b'{"version":1,"type":"OrderPlaced","revision":1}'])},
    {PAYLOAD_FIELD: seal([b'{"version":1,"type":"OrderPlaced","order_id":"1","revision":1}'])},
    {PAYLOAD_FIELD: seal([b'{"version":99,"type":"OrderPlaced","order_id":1,"revision":1}'])},
    {PAYLOAD_FIELD: seal([b'{"version":1,"type":"OrderEaten","order_id":1,"revision":1}'])},
    {PAYLOAD_FIELD: b"x" * 1_000_000},
]
FOR_ORDERING_ALONE = [{PAYLOAD_FIELD: seal([EVENT % (b"OrderFulfilled", UNKNOWN_ORDER)])}]


def connect(port: int) -> "redis.Redis":
    return redis.Redis(port=port, socket_timeout=3)


def empty(port: int) -> int:
    """How many entries went with it."""
    with connect(port) as client:
        entries = sum(int(client.xlen(stream)) for stream in STREAMS)
        client.flushall()
    return entries


def limit_memory(port: int, size: int) -> None:
    """In bytes; 0 is no limit. What is above it is refused, not evicted."""
    with connect(port) as client:
        client.config_set("maxmemory", size)


def log_of_writes(directory: Path) -> Path:
    """The append-only file that grows."""
    return max((directory / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)


def cut_last_second(directory: Path) -> int:
    """Of a Redis that is down. `appendfsync everysec` may lose one to two seconds; returns how many bytes went."""
    since = math.floor(time.time()) - 1
    file = log_of_writes(directory)
    content = file.read_bytes()
    keep = next((found.start() for found in TIMESTAMP.finditer(content) if int(found[1]) >= since), len(content))
    with file.open("r+b") as opened:
        opened.truncate(keep)
    return len(content) - keep


def repeat(port: int, seed: int, count: int = 100) -> int:
    """Deliver the latest entries of both streams once more, in another order."""
    dice = random.Random(seed)
    repeated = 0
    with connect(port) as client:
        for stream in STREAMS:
            entries = [fields for _, fields in client.xrevrange(stream, count=count)]
            dice.shuffle(entries)
            for fields in entries:
                if not is_poison(fields):
                    client.xadd(stream, fields)
                    repeated += 1
    return repeated


def poison(port: int, seed: int, put: list[tuple[str, str]]) -> None:
    """Adds to `put` the entries that are to become dead letters, as stream and id.

    Raises when Redis goes away meanwhile: then one more may be there, whose id nobody was told.
    """
    dice = random.Random(seed)
    with connect(port) as client:
        for stream in STREAMS:
            choice = POISON if stream == ORDERING.name else POISON + FOR_ORDERING_ALONE
            for fields in dice.sample(choice, 3):
                put.append((stream, client.xadd(stream, fields).decode()))  # noqa: PERF401 - each at once: the next may fail


def is_poison(fields: dict[bytes, bytes]) -> bool:
    return fields in POISON or fields in FOR_ORDERING_ALONE
