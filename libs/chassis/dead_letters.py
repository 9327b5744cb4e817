"""Stream entries that can't be handled, kept with their bytes and the reason, so that they hold up nobody and aren't lost."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import BaseModel
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT

from chassis.problems import NotFound
from chassis.rows import insert
from chassis.web import UtcTime
from contracts.streams import PAYLOAD_FIELD

REASON_LENGTH = 1000


@dataclass(frozen=True)
class DeadLetter:
    """`fields` are the entry's own, bytes as they came."""

    stream: str
    entry_id: str
    fields: Mapping[bytes, bytes]
    reason: str


def dead_letter_table(metadata: MetaData) -> Table:
    return Table(
        "dead_letters",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("stream", String(64), nullable=False),
        Column("entry_id", String(64), nullable=False),
        Column("fields", Text().with_variant(LONGTEXT(), "mysql", "mariadb"), nullable=False),
        Column("reason", String(REASON_LENGTH), nullable=False),
        Column("created_at", DATETIME(fsp=6), nullable=False, server_default=text("CURRENT_TIMESTAMP(6)")),
        UniqueConstraint("stream", "entry_id", name="one_per_entry"),
    )


def bury(connection: Connection, table: Table, letters: Sequence[DeadLetter]) -> None:
    """Keep them, each entry once however often it is delivered."""
    rows = [
        {
            "stream": letter.stream,
            "entry_id": letter.entry_id,
            "fields": pack(letter.fields),
            "reason": letter.reason[:REASON_LENGTH],
        }
        for letter in letters
    ]
    insert(connection, table, rows, keep_first=True)


class LetterView(BaseModel):
    """`payload` is for reading only, cut short; what is redriven are the bytes as they came."""

    id: int
    stream: str
    entry_id: str
    reason: str
    payload: str
    created_at: UtcTime


def list_(connection: Connection, table: Table, after: int, limit: int) -> list[LetterView]:
    page = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    return [_view(row) for row in connection.execute(page).mappings()]


def _view(row: RowMapping) -> LetterView:
    payload = unpack(row["fields"]).get(PAYLOAD_FIELD, b"")[:500].decode("utf-8", "backslashreplace")
    return LetterView.model_validate({**row, "payload": payload})


def read(connection: Connection, table: Table, letter_id: int) -> DeadLetter:
    row = connection.execute(select(table).where(table.c.id == letter_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("Dead letter not found")
    return DeadLetter(row["stream"], row["entry_id"], unpack(row["fields"]), row["reason"])


def discard(connection: Connection, table: Table, letter_id: int) -> None:
    """Idempotent: one that is gone is discarded."""
    connection.execute(table.delete().where(table.c.id == letter_id))


def pack(fields: Mapping[bytes, bytes]) -> str:
    """JSON of base64 pairs: field names and values may be any bytes."""
    pairs = [[base64.b64encode(key).decode(), base64.b64encode(value).decode()] for key, value in fields.items()]
    return orjson.dumps(pairs).decode()


def unpack(packed: str) -> dict[bytes, bytes]:
    return {base64.b64decode(key): base64.b64decode(value) for key, value in orjson.loads(packed)}
