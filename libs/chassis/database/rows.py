"""Many rows travel as JSON, both ways.

Rows to insert are one JSON parameter of one statement of constant text, which the server unfolds. A statement of many VALUES
has another text for each number of rows, and Python escapes each of their values on the way. What PyMySQL takes for no such
statement, one with an expression among its values, it even sends row by row.

Rows to read by the dozen come as one JSON array each: PyMySQL takes them apart in Python, value by value.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    String,
    Table,
    cast,
    func,
)


def insert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    /,
    *,
    keep_first: bool = False,
    **computed: str,
) -> None:
    """Insert rows that all name the same columns. `computed` names further ones, whose values are SQL without a %.

    With `keep_first` a row whose unique key is taken changes nothing. Without, the database refuses the whole statement.
    """
    if rows:
        statement = _statement(table, tuple(rows[0]), tuple(computed.items()), keep_first)
        # There is nothing to compile: `execute` would look the text up and take its parameter apart, 20 µs a statement.
        connection.exec_driver_sql(statement, {"rows": folded(rows)})


def folded(rows: Sequence[Mapping[str, Any]]) -> str:
    """As JSON: bytes in hex, decimals exact, times in UTC. None is left out: so it becomes NULL, not JSON's null."""
    present = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return orjson.dumps(present, default=_folded, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _folded(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):  # MySQL and MariaDB read a time alike only without its zone
        utc = value.astimezone(UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat(sep=" ")
    raise TypeError(f"{type(value).__name__} is no value of a row")


@cache
def _statement(table: Table, names: tuple[str, ...], computed: tuple[tuple[str, str], ...], keep_first: bool) -> str:
    columns = [table.c[name] for name in names]
    targets = ", ".join([*names, *(name for name, _ in computed)])
    values = ", ".join([*(_value(column) for column in columns), *(sql for _, sql in computed)])
    unfolded = ", ".join(f"{column.name} {_unfolded_type(column)} PATH '$.{column.name}'" for column in columns)
    key = next(iter(table.primary_key)).name
    kept = f" ON DUPLICATE KEY UPDATE {key} = {table.name}.{key}" if keep_first else ""
    return (
        f"INSERT INTO {table.name} ({targets}) SELECT {values} "  # noqa: S608 - names and SQL of ours
        f"FROM JSON_TABLE(%(rows)s, '$[*]' COLUMNS ({unfolded})) AS unfolded{kept}"
    )


def _unfolded_type(column: Column[Any]) -> str:
    """MariaDB cuts what is too long for a JSON_TABLE column without a word, so only the table's own columns have lengths."""
    if isinstance(column.type, JSON):
        return "JSON"
    return "BIGINT" if column.type.python_type is int else "LONGTEXT"


def _value(column: Column[Any]) -> str:
    return f"UNHEX(unfolded.{column.name})" if column.type.python_type is bytes else f"unfolded.{column.name}"


def array_of(columns: Iterable[ColumnElement[Any]]) -> ColumnElement[str]:
    """A row as one JSON array: decimals and times as text, bytes in hex. Times don't say that they are in UTC."""
    return func.json_array(*(_in_json(column) for column in columns))


def _in_json(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if column.type.python_type is bytes:
        return func.hex(column)
    return cast(column, String) if column.type.python_type in {Decimal, datetime} else column
