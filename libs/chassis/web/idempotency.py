"""`Idempotency-Key`: a repeated request gets the first one's answer."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel
from sqlalchemy import BINARY, Column, Connection, LargeBinary, MetaData, Table, select, text
from sqlalchemy.dialects.mysql import DATETIME, VARBINARY
from uuid_utils import uuid7

from chassis.database.transactions import Database
from chassis.problems import Unprocessable
from chassis.web.head import KEY_LENGTH, Head

Answer = TypeVar("Answer", bound=BaseModel)

# Bytes, not characters: the default collation takes `Ab1` and `aB1` for one key.
KeyColumn = VARBINARY(KEY_LENGTH)
CallerColumn = VARBINARY(128)  # bytes as well: in text "alice" and "alice " are equal
FingerprintColumn = BINARY(32)


def generated_key() -> str:
    """For a request without one. A UUIDv7 begins with its time, so keys made one after another stand so in the index.

    Each random one would change another page of it, which on a large table is read and written for that alone.
    """
    return f"generated {uuid7()}"


def fingerprint(*parts: Any) -> bytes:
    """Tells requests apart: 32 bytes that are equal when the parts are. Parts are JSON values, decimals exact."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=_canonical)).digest()


def _canonical(value: object) -> str:
    """21, 21.0 and 21.00 are one amount: a client may write it otherwise when it asks again."""
    return str(value.normalize() if isinstance(value, Decimal) else value)


def require_same(stored: bytes, given: bytes) -> None:
    if stored != given:
        raise Unprocessable("This Idempotency-Key was used with another request")


def idempotency_table(metadata: MetaData) -> Table:
    return Table(
        "idempotency_keys",
        metadata,
        Column("request_key", KeyColumn, primary_key=True),
        Column("caller", CallerColumn, primary_key=True),
        Column("fingerprint", FingerprintColumn, nullable=False),
        Column("answer", LargeBinary(2**16), nullable=False),
        Column("created_at", DATETIME(fsp=6), nullable=False, server_default=text("CURRENT_TIMESTAMP(6)")),
    )


async def once(
    database: Database,
    keys: Table,
    head: Head,
    request: bytes,
    answer: type[Answer],
    work: Callable[[Connection], Answer],
) -> Answer:
    """The answer recorded for the caller and his key, or that of `work`, recorded in the same commit.

    Without a client's key it makes one up, so that work that can't tell whether it ran already may run again after a
    lost COMMIT. A twin in another transaction makes the insert fail; that transaction runs again and finds the answer.
    """
    identity = {"request_key": (head.key or generated_key()).encode(), "caller": head.caller.id.encode()}

    def recorded(connection: Connection) -> Answer:
        found = connection.execute(select(keys).filter_by(**identity)).one_or_none()
        if found is not None:
            require_same(found.fingerprint, request)
            return answer.model_validate_json(found.answer)
        result = work(connection)
        row = {"fingerprint": request, "answer": result.model_dump_json().encode()}
        connection.execute(keys.insert().values(**identity, **row))
        return result

    return await database.run(recorded)
