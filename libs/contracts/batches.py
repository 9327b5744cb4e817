"""What stands in one entry of a stream: the events of one commit, as `{"version": 1, "events": [...]}`.

A batch is for the way only. Each event in it stays what it is: deduplicated, applied and, if need be, buried alone.
"""

from collections.abc import Iterable
from typing import Any

import orjson


class UnreadableEvent(Exception):
    """These bytes are nothing that this version knows; the message says why, without echoing them."""


def seal(events: Iterable[bytes]) -> bytes:
    """`events` are JSON each."""
    return b'{"version":1,"events":[' + b",".join(events) + b"]}"


def unseal(payload: bytes) -> list[Any]:
    """The events of a batch, as JSON values in the order they were sealed in. Raises UnreadableEvent."""
    try:
        batch = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise UnreadableEvent("payload: not JSON") from None
    if not isinstance(batch, dict) or batch.get("version") != 1:
        raise UnreadableEvent("version: unknown")
    events = batch.get("events")
    if not isinstance(events, list) or not events:
        raise UnreadableEvent("events: a list is needed")
    return events


def names(payload: bytes) -> list[tuple[int, int]]:
    """Of each event of a batch of our own the order's id and revision."""
    return [(event["order_id"], event["revision"]) for event in unseal(payload)]


def part(payload: bytes, index: int) -> bytes:
    """One event of a batch, as a batch of its own; one that is nested too deeply to be written again, with its neighbours."""
    try:
        return seal([orjson.dumps(unseal(payload)[index])])
    except orjson.JSONEncodeError:
        return payload
