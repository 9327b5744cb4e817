"""What stands in one entry of a stream: the events of one commit, as `{"version": 1, "events": [...]}`.

A batch is for the way only. Each event in it stays what it is: deduplicated, applied and, if need be, buried alone.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contracts.events import (
    FULFILMENT_KINDS,
    ORDERING_KINDS,
    Event,
    FulfilmentEvent,
    OrderingEvent,
    UnreadableEvent,
    read_fulfilment,
    read_ordering,
)

E = TypeVar("E", bound=Event)


class _Envelope(BaseModel, Generic[E]):
    model_config = ConfigDict(strict=True, extra="ignore")

    version: Literal[1]
    events: list[E] = Field(min_length=1)


def seal(events: Iterable[bytes]) -> bytes:
    """`events` are JSON each."""
    return b'{"version":1,"events":[' + b",".join(events) + b"]}"


def unseal(payload: bytes) -> list[bytes]:
    """The events of a batch, JSON each, in the order they were sealed in. Raises UnreadableEvent."""
    return [orjson.dumps(event) for event in _events(payload)]


def names(payload: bytes) -> list[tuple[int, int]]:
    """Of each event of a batch of our own the order's id and revision."""
    return [(event["order_id"], event["revision"]) for event in _events(payload)]


def part(payload: bytes, index: int) -> bytes:
    """One event of a batch, as a batch of its own."""
    return seal([unseal(payload)[index]])


def _events(payload: bytes) -> list[Any]:
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


class BatchReader(Generic[E]):
    """Reads the batches of one stream; `read` parses one event, whose type is `kinds`."""

    def __init__(self, read: Callable[[bytes], E], kinds: Any) -> None:
        self._read = read
        self._all: TypeAdapter[_Envelope[E]] = TypeAdapter(_Envelope[kinds])

    def __call__(self, payload: bytes, entry_id: str) -> Sequence[E | UnreadableEvent]:
        """In their order. Raises UnreadableEvent if the batch as a whole is none."""
        at = sent_at(entry_id)
        try:
            events = self._all.validate_json(payload).events
        except ValidationError:
            return [self._or_why_not(event, at) for event in unseal(payload)]
        return [event.model_copy(update={"put_at": at}) for event in events]

    def _or_why_not(self, event: bytes, at: datetime) -> E | UnreadableEvent:
        try:
            return self._read(event).model_copy(update={"put_at": at})
        except UnreadableEvent as error:
            return error


read_ordering_batch: BatchReader[OrderingEvent] = BatchReader(read_ordering, ORDERING_KINDS)
read_fulfilment_batch: BatchReader[FulfilmentEvent] = BatchReader(read_fulfilment, FULFILMENT_KINDS)


def sent_at(entry_id: str) -> datetime:
    """A stream entry's id is the time, by Redis's clock, in milliseconds, and a sequence number."""
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
