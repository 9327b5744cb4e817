"""What a field of a request or an answer may hold."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

MAX_ID = 2**63 - 1

# Exact inside, a plain JSON number outside: up to 2**53 / 100 a float prints two places exactly.
Money = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


def utc(value: datetime) -> datetime:
    """The database speaks UTC without saying so; outside, every time says it."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


UtcTime = Annotated[datetime, AfterValidator(utc)]


def whole_number(value: object) -> object:
    """pydantic alone would take "1_0", " 1" and "1.0" for a number in a path or query."""
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,19}", value):
        raise ValueError("must be a whole number")
    return value


def _exact(value: object) -> object:
    """A JSON number arrives as int or Decimal, never as float; strict pydantic wants a Decimal."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _storable(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain NUL or lone surrogates")
    return value


def _flag(value: object) -> object:
    """pydantic alone would take "on", "y" and "1" as well."""
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


def _decimal_schema(maximum: str) -> WithJsonSchema:
    """pydantic's own would tell of strings too, which a strict body doesn't take, and not of places."""
    return WithJsonSchema({"type": "number", "minimum": 0, "maximum": float(maximum), "multipleOf": 0.01})


MAX_PRICE = "9999999.99"
MAX_AMOUNT = "99999999999999.99"

Flag = Annotated[bool, BeforeValidator(_flag)]
PathId = Annotated[int, BeforeValidator(whole_number), Path(ge=1, le=MAX_ID)]
Price = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=0, le=Decimal(MAX_PRICE), decimal_places=2),
    _decimal_schema(MAX_PRICE),
]
Amount = Annotated[
    Decimal, BeforeValidator(_exact), Field(ge=0, max_digits=16, decimal_places=2), _decimal_schema(MAX_AMOUNT)
]
Text255 = Annotated[
    str,
    Field(min_length=1, max_length=255, json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}),
    AfterValidator(_storable),
]


class Body(BaseModel):
    """A request body: exact types, no unknown fields, no NaN."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
