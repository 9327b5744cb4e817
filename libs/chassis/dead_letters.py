"""Stream entries that can't be handled, kept with their bytes and the reason, so that they hold up nobody and aren't lost."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, insert

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
    if not letters:
        return
    rows = [
        {
            "stream": letter.stream,
            "entry_id": letter.entry_id,
            "fields": pack(letter.fields),
            "reason": letter.reason[:REASON_LENGTH],
        }
        for letter in letters
    ]
    connection.execute(insert(table).on_duplicate_key_update(entry_id=table.c.entry_id), rows)


def pack(fields: Mapping[bytes, bytes]) -> str:
    """JSON of base64 pairs: field names and values may be any bytes."""
    pairs = [[base64.b64encode(key).decode(), base64.b64encode(value).decode()] for key, value in fields.items()]
    return orjson.dumps(pairs).decode()


def unpack(packed: str) -> dict[bytes, bytes]:
    return {base64.b64decode(key): base64.b64decode(value) for key, value in orjson.loads(packed)}
