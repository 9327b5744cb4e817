"""Ordering asks catalog, over HTTP: reserve stock for these orders; give the stock of these orders back.

`POST /private/reservations` takes a `ReserveRequest` and answers a `ReserveAnswer`, its outcomes in the order asked.
`POST /private/releases` takes `OrderIds` and answers a `ReleaseAnswer`.
Both are idempotent by order id. Money is exact: decimals travel as strings. Readers ignore fields they don't know.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_RESERVATIONS = 500


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Id = Annotated[int, Field(ge=1, lt=2**63)]


class Line(Message):
    product_id: Id
    quantity: int = Field(ge=1)  # a negative one would add to the stock


def _each_product_once(lines: list[Line]) -> list[Line]:
    if len({line.product_id for line in lines}) < len(lines):
        raise ValueError("a product stands in one line")  # the lines are weighed against the stock one by one
    return lines


class Reservation(Message):
    """All lines or none. Refused if the prices under lock don't add up to `expected_total`, when one is given."""

    order_id: Id
    lines: Annotated[list[Line], Field(min_length=1), AfterValidator(_each_product_once)]
    expected_total: Decimal | None = None


class Result(StrEnum):
    HELD = "held"
    INSUFFICIENT_STOCK = "insufficient_stock"
    PRODUCT_NOT_FOUND = "product_not_found"
    PRICE_CHANGED = "price_changed"
    MISMATCH = "mismatch"  # this order id was reserved with other lines: an alarm, never stock
    UNDECIDED = "undecided"  # catalog could not decide this one; ask again


REFUSALS = frozenset({Result.INSUFFICIENT_STOCK, Result.PRODUCT_NOT_FOUND, Result.PRICE_CHANGED})


class PricedLine(Line):
    unit_price: Decimal


class Shortage(Message):
    product_id: int
    requested: int
    available: int


class Outcome(Message):
    """What catalog decided for an order, once; a repeat gets the same, `decided_at` included."""

    order_id: int
    result: Result
    lines: list[PricedLine] = []
    total: Decimal | None = None
    shortages: list[Shortage] = []
    missing: list[int] = []
    decided_at: datetime | None = None


class ReserveRequest(Message):
    reservations: list[Reservation] = Field(min_length=1, max_length=MAX_RESERVATIONS)


class ReserveAnswer(Message):
    outcomes: list[Outcome]


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
