"""Ordering asks catalog, over HTTP: reserve stock for these orders; give the stock of these orders back.

`POST /private/reservations` takes a `ReserveRequest` and answers a `ReserveAnswer`, its outcomes in the order asked.
`POST /private/releases` takes `OrderIds` and answers a `ReleaseAnswer`.
Both are idempotent by order id. Money is exact: decimals travel as strings. Readers ignore fields they don't know.

What every order passes through are plain dataclasses. Those are made in a tenth of the time of models, and nothing is checked
then: it is when they are read from JSON. They aren't frozen or given slots, which would slow down making or writing them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from contracts.request_ids import RequestId

MAX_RESERVATIONS = 500


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


# As it is documented. What pydantic would say of decimals lets an empty string through, which it doesn't take.
Exact = Annotated[
    Decimal,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9]{1,20}(\.[0-9]{1,10})?$"}]}),
]
Id = Annotated[int, Field(strict=True, ge=1, lt=2**63)]


@dataclass
class Line:
    product_id: Id
    quantity: Annotated[int, Field(strict=True, ge=1)]  # a negative one would add to the stock


def _each_product_once(lines: list[Line]) -> list[Line]:
    if len({line.product_id for line in lines}) < len(lines):
        raise ValueError("a product stands in one line")  # the lines are weighed against the stock one by one
    return lines


@dataclass
class Reservation:
    """All lines or none. Refused if the prices under lock don't add up to `expected_total`, when one is given.

    `customer` is for whom it counts where a product has a limit per customer; nobody in particular is the empty one.
    `request_id` is that of the request that placed the order. A batch has orders of many, so it stands with each.
    """

    order_id: Id
    lines: Annotated[list[Line], Field(min_length=1), AfterValidator(_each_product_once)]
    expected_total: Exact | None = None
    customer: str = ""
    request_id: RequestId | None = field(default=None, compare=False)  # tells of an order, and asks for nothing


class Result(StrEnum):
    HELD = "held"
    INSUFFICIENT_STOCK = "insufficient_stock"
    PRODUCT_NOT_FOUND = "product_not_found"
    PRICE_CHANGED = "price_changed"
    LIMIT_REACHED = "limit_reached"  # the customer would hold more than one may have
    MISMATCH = "mismatch"  # this order id was reserved with other lines: an alarm, never stock
    UNDECIDED = "undecided"  # catalog could not decide this one; ask again


REFUSALS = frozenset({Result.INSUFFICIENT_STOCK, Result.PRODUCT_NOT_FOUND, Result.PRICE_CHANGED, Result.LIMIT_REACHED})


@dataclass
class PricedLine(Line):
    unit_price: Decimal


@dataclass
class Shortage:
    product_id: int
    requested: int
    available: int


@dataclass
class LimitReached:
    """`has` is what the customer's other orders hold, `requested` what this one would add."""

    product_id: int
    max_per_customer: int
    has: int
    requested: int


@dataclass
class Outcome:
    """What catalog decided for an order, once; a repeat gets the same, `decided_at` included."""

    order_id: int
    result: Result
    lines: list[PricedLine] = field(default_factory=list)
    total: Decimal | None = None
    shortages: list[Shortage] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    limits: list[LimitReached] = field(default_factory=list)
    decided_at: datetime | None = None


@dataclass
class ReserveRequest:
    reservations: Annotated[list[Reservation], Field(min_length=1, max_length=MAX_RESERVATIONS)]


@dataclass
class ReserveAnswer:
    outcomes: list[Outcome]


# Read by `validate_json`, which raises a ValidationError, or from what is JSON already by `validate_python`.
RESERVATION = TypeAdapter(Reservation)
OUTCOME = TypeAdapter(Outcome)
RESERVE_REQUEST = TypeAdapter(ReserveRequest)
RESERVE_ANSWER = TypeAdapter(ReserveAnswer)


def to_json(message: Reservation | Outcome | ReserveRequest | ReserveAnswer) -> bytes:
    return orjson.dumps(message, default=_exact, option=orjson.OPT_UTC_Z)


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} stands in no message")


def reserve_answer(outcomes: Iterable[bytes]) -> bytes:
    """The JSON of a `ReserveAnswer` whose outcomes are JSON already."""
    return b'{"outcomes":[' + b",".join(outcomes) + b"]}"


class OrderIds(Message):
    order_ids: list[Id] = Field(min_length=1, max_length=MAX_RESERVATIONS)


class ReleaseAnswer(Message):
    """The orders that hold no stock any more, released now or before."""

    released: list[int]


class Difference(Message):
    """Where the books don't agree: about which product or order, and what each side says."""

    about: str
    says: dict[str, int | str | None]


class StockProof(Message):
    """Catalog's own books: every stock against its movements, every product's movements against its held reservations."""

    products: int
    differences: list[Difference]


class HeldLines(Message):
    """What catalog holds for an order; no lines if nothing."""

    order_id: int
    lines: list[Line]


class HeldAnswer(Message):
    reservations: list[HeldLines]


class HoldersAnswer(Message):
    """Of the next reservations by order id, those that hold stock. `through` is the last one looked at, None at the end."""

    reservations: list[HeldLines]
    through: int | None
