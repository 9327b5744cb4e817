"""Stream entries that can't be handled, kept with their bytes and the reason, so that they hold up nobody and aren't lost."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice

import orjson
from pydantic import BaseModel
from sqlalchemy import (
    CHAR,
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

from chassis.database.rows import insert
from chassis.problems import Conflict, NotFound
from chassis.web.fields import UtcTime
from contracts.streams import PAYLOAD_FIELD

REASON_LENGTH = 1000
KEPT_WHOLE = 2 * 2**20  # bytes of an entry, well below what any server's max_allowed_packet takes
KEPT_OF_A_VALUE = 1000  # of an entry above that
KEPT_FIELDS = 100


@dataclass(frozen=True)
class DeadLetter:
    """`fields` are the entry's own, bytes as they came."""

    stream: str
    entry_id: str
    fields: Mapping[bytes, bytes]
    reason: str

    @property
    def size(self) -> int:
        return sum(len(key) + len(value) for key, value in self.fields.items())


class NotKept(Conflict):
    """409: of an entry this large only the beginning is left."""


def dead_letter_table(metadata: MetaData) -> Table:
    return Table(
        "dead_letters",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("stream", String(64), nullable=False),
        Column("entry_id", String(64), nullable=False),
        Column("fields", Text().with_variant(LONGTEXT(), "mysql", "mariadb"), nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("sha256", CHAR(64)),
        Column("reason", String(REASON_LENGTH), nullable=False),
        Column("created_at", DATETIME(fsp=6), nullable=False, server_default=text("CURRENT_TIMESTAMP(6)")),
        UniqueConstraint("stream", "entry_id", name="one_per_entry"),
    )


def bury(connection: Connection, table: Table, letter: DeadLetter) -> None:
    """Keep it, once however often the entry is delivered.

    One above KEPT_WHOLE is kept by the beginnings of its fields, its size in bytes and the SHA-256 of all keys and values.
    """
    named = {"stream": letter.stream, "entry_id": letter.entry_id, "size": letter.size}
    row = named | _contents(letter) | {"reason": letter.reason[:REASON_LENGTH]}
    insert(connection, table, [row], keep_first=True)


def _contents(letter: DeadLetter) -> dict[str, str | None]:
    if letter.size <= KEPT_WHOLE:
        return {"fields": pack(letter.fields), "sha256": None}
    digest = sha256()
    for part in chain.from_iterable(letter.fields.items()):
        digest.update(part)
    beginnings = {key[:KEPT_OF_A_VALUE]: value[:KEPT_OF_A_VALUE] for key, value in letter.fields.items()}
    return {"fields": pack(dict(islice(beginnings.items(), KEPT_FIELDS))), "sha256": digest.hexdigest()}


class LetterView(BaseModel):
    """`payload` is for reading only, cut short; what is redriven are the bytes as they came. `size` is in bytes."""

    id: int
    stream: str
    entry_id: str
    size: int
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
    if row["sha256"] is not None:
        raise NotKept(f"Of these {row['size']} bytes only the beginning is kept; discard it", sha256=row["sha256"])
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
