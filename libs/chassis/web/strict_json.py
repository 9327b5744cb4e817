"""JSON as a request may bring it, and no other: what two parsers could read in two ways is refused."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import HTTPException


def strict_json(body: bytes) -> Any:
    """UTF-8 only, no duplicate keys, no NaN, decimals exact. Raises JSONDecodeError or an HTTPException with status 400."""
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise HTTPException(400, "The body is not UTF-8") from error
    except RecursionError as error:
        raise HTTPException(400, "The body is nested too deeply") from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # int() refuses thousands of digits
        raise HTTPException(400, str(error)) from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise HTTPException(400, "The body names a member twice")
    return members


def _decimal(literal: str) -> Decimal:
    try:
        return Decimal(literal)
    except InvalidOperation as error:
        raise HTTPException(400, "The exponent of a number is beyond all decimals") from error


def _no_constant(_name: str) -> float:
    raise HTTPException(400, "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_float=_decimal, parse_constant=_no_constant)
