"""What a field of a request or an answer may hold."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

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


PathId = Annotated[int, BeforeValidator(whole_number), Path(ge=1, le=MAX_ID)]
Price = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, le=Decimal("9999999.99"), decimal_places=2)]
Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, max_digits=16, decimal_places=2)]
Text255 = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_storable)]


class Body(BaseModel):
    """A request body: exact types, no unknown fields, no NaN."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
