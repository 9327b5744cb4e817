"""The events on the streams, and how to read one.

An event is known by (type, order_id, revision): saying it again is saying the same. It evolves by adding fields with
defaults; a change of meaning is a new `version`. `samples/` holds one stored JSON per version that must go on parsing.
On the streams they travel in batches (`batches.py`).
"""

from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Event(BaseModel):
    """`revision` is the order's when the event was caused: a reader drops what is older than what it knows."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    version: Literal[1] = 1
    order_id: int = Field(ge=1, lt=2**63)
    revision: int = Field(ge=1, lt=2**31)
    put_at: AwareDatetime | None = Field(
        default=None, exclude=True
    )  # when it came onto the stream: its reader's to say


class Item(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    product_id: int
    quantity: int
    unit_price: Decimal


class Try(BaseModel):
    """One run of the processing step. `ended_at` is None when its worker vanished or it still runs."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    number: int
    worker: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    result: Literal["fulfilled", "failed", "lost", "cancelled"]
    reason: str | None = None


class Outcome(Event):
    """What fulfilment decided, with how it came to it. `announced_at`: when the order that it took was put on the stream."""

    announced_at: AwareDatetime | None = None
    taken_at: AwareDatetime | None = None
    decided_at: AwareDatetime
    tries: list[Try] = []


class OrderPlaced(Event):
    type: Literal["OrderPlaced"] = "OrderPlaced"
    items: list[Item] = Field(min_length=1)
    total: Decimal
    announced_at: AwareDatetime | None = Field(
        default=None, exclude=True
    )  # the reader's: when it was put on the stream


class OrderCancelled(Event):
    """The client asks to cancel; whether it comes in time is fulfilment's to say.

    `forced`: a person asks, and takes it upon himself that the order may have been shipped by a step that then failed.
    """

    type: Literal["OrderCancelled"] = "OrderCancelled"
    forced: bool = False


class OrderFulfilled(Outcome):
    type: Literal["OrderFulfilled"] = "OrderFulfilled"


class FulfilmentFailed(Outcome):
    type: Literal["FulfilmentFailed"] = "FulfilmentFailed"
    reason: str


class FulfilmentCancelled(Outcome):
    type: Literal["FulfilmentCancelled"] = "FulfilmentCancelled"


OrderingEvent = OrderPlaced | OrderCancelled
FulfilmentEvent = OrderFulfilled | FulfilmentFailed | FulfilmentCancelled
E = TypeVar("E")

ORDERING_KINDS = Annotated[OrderingEvent, Field(discriminator="type")]
FULFILMENT_KINDS = Annotated[FulfilmentEvent, Field(discriminator="type")]
_ordering: TypeAdapter[OrderingEvent] = TypeAdapter(ORDERING_KINDS)
_fulfilment: TypeAdapter[FulfilmentEvent] = TypeAdapter(FULFILMENT_KINDS)


class UnreadableEvent(Exception):
    """These bytes are no event that this version knows; the message says why, without echoing them."""


def read_ordering(payload: bytes) -> OrderingEvent:
    """Parse an event of stream `ordering`, or raise UnreadableEvent."""
    return _read(_ordering, payload)


def read_fulfilment(payload: bytes) -> FulfilmentEvent:
    """Parse an event of stream `fulfilment`, or raise UnreadableEvent."""
    return _read(_fulfilment, payload)


def _read(adapter: TypeAdapter[E], payload: bytes) -> E:
    try:
        return adapter.validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "payload"
        echoes = first["type"] == "union_tag_invalid"
        raise UnreadableEvent("type: unknown" if echoes else f"{where}: {first['msg']}") from None
