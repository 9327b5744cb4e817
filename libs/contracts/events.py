"""The events on the streams, and how to read them.

An event is known by (type, order_id, revision): saying it again is saying the same. It evolves by adding members that may be
missing; a change of meaning is a new `version`. `samples/` holds one stored JSON per version that must go on being read.
On the streams they travel in batches (`batches.py`). They are plain dicts, checked by pydantic when they are read: making
an object of each would cost more than all else that is done with it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar, cast

import orjson
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from contracts.batches import UnreadableEvent, unseal
from contracts.request_ids import RequestId

Money = Annotated[str, Field(pattern=r"^\d{1,14}\.\d{2}$")]  # decimals travel as text


class Event(TypedDict):
    """`revision` is the order's when the event was caused: a reader drops what is older than what it knows."""

    version: Literal[1]
    order_id: Annotated[int, Field(ge=1, lt=2**63)]
    revision: Annotated[int, Field(ge=1, lt=2**31)]
    request_id: NotRequired[RequestId]  # of the request that placed the order
    put_at: NotRequired[AwareDatetime]  # when it came onto the stream: set by who reads it, whatever was sent


class Item(TypedDict):
    product_id: int
    quantity: int
    unit_price: Money


class Try(TypedDict):
    """One run of the processing step. `ended_at` is None when its worker vanished or it still runs."""

    number: int
    worker: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    result: Literal["fulfilled", "failed", "lost", "cancelled"]
    reason: str | None


class Outcome(Event):
    """What fulfilment decided, with how it came to it.

    `announced_at` is when the order that it took was put on the stream; `tries` are oldest first.
    """

    announced_at: NotRequired[AwareDatetime | None]
    taken_at: NotRequired[AwareDatetime | None]
    decided_at: AwareDatetime
    tries: NotRequired[list[Try]]


class OrderPlaced(Event):
    type: Literal["OrderPlaced"]
    items: Annotated[list[Item], Field(min_length=1)]
    total: Money


class OrderCancelled(Event):
    """The client asks to cancel; whether it comes in time is fulfilment's to say.

    `forced`: a person asks, and takes it upon himself that the order may have been shipped by a step that then failed.
    """

    type: Literal["OrderCancelled"]
    forced: NotRequired[bool]


class OrderFulfilled(Outcome):
    """By `worker`, from `taken_at` to `decided_at`, in one try, unless `tries` tells of several."""

    type: Literal["OrderFulfilled"]
    worker: str


class FulfilmentFailed(Outcome):
    type: Literal["FulfilmentFailed"]
    reason: str


class FulfilmentCancelled(Outcome):
    type: Literal["FulfilmentCancelled"]


OrderingEvent = OrderPlaced | OrderCancelled
FulfilmentEvent = OrderFulfilled | FulfilmentFailed | FulfilmentCancelled
E = TypeVar("E", OrderingEvent, FulfilmentEvent)


class _Batch(TypedDict, Generic[E]):
    version: Literal[1]
    events: Annotated[list[E], Field(min_length=1)]


class Reader(Generic[E]):
    """Reads what stands on one stream; `kinds` is the union of its events, told apart by their type."""

    def __init__(self, kinds: Any) -> None:
        kinds = Annotated[kinds, Field(discriminator="type")]
        self._one: TypeAdapter[E] = TypeAdapter(kinds)
        self._all: TypeAdapter[_Batch[E]] = TypeAdapter(_Batch[kinds])

    def batch(self, payload: bytes, entry_id: str) -> Sequence[E | UnreadableEvent]:
        """The events of a stream entry, in their order. Raises UnreadableEvent if it holds no batch at all."""
        at = put_at(entry_id)
        try:
            events: Sequence[E | UnreadableEvent] = self._all.validate_json(payload, strict=True)["events"]
        except ValidationError:
            events = [self._or_why_not(event) for event in unseal(payload)]
        for event in events:
            if not isinstance(event, UnreadableEvent):
                event["put_at"] = at
        return events

    def event(self, payload: bytes) -> E:
        """One event. Raises UnreadableEvent."""
        try:
            return self._one.validate_json(payload, strict=True)
        except ValidationError as error:
            raise UnreadableEvent(_reason(error)) from None

    def _or_why_not(self, event: Any) -> E | UnreadableEvent:
        try:
            return self.event(orjson.dumps(event))
        except orjson.JSONEncodeError:  # it reads four times as deep as it writes
            return UnreadableEvent("payload: nested too deeply")
        except UnreadableEvent as error:
            return error


def _reason(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "union_tag_invalid":  # its message would echo the tag
        return "type: unknown"
    return f"{'.'.join(str(part) for part in first['loc']) or 'payload'}: {first['msg']}"


def put_at(entry_id: str) -> datetime:
    """A stream entry's id is the time, by Redis's clock, in milliseconds, and a sequence number."""
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)


ordering_events = cast("Reader[OrderingEvent]", Reader(OrderingEvent))
fulfilment_events = cast("Reader[FulfilmentEvent]", Reader(FulfilmentEvent))
