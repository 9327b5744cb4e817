"""Many rows by one statement: nothing is changed, cut or lost on the way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest
from sqlalchemy import (
    BINARY,
    JSON,
    BigInteger,
    Column,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    exc,
    func,
    select,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME, VARBINARY

from chassis.database.rows import array_of, insert
from chassis.database.transactions import Database
from harness.statements import statements

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("number", BigInteger),
    Column("price", Numeric(16, 2)),
    Column("word", String(8)),
    Column("raw", VARBINARY(300)),
    Column("digest", BINARY(32)),
    Column("at", DATETIME(fsp=6)),
    Column("tree", JSON(none_as_null=True)),
    UniqueConstraint("number", name="one_per_number"),
)


@pytest.fixture(autouse=True)
def _tables(create_tables: Callable[[MetaData], None]) -> None:
    create_tables(metadata)


def stored(database: Database, name: str) -> list[object]:
    query = select(things.c[name]).order_by(things.c.id)
    return database.transact(lambda connection: list(connection.execute(query).scalars()))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("number", [2**63 - 1, -(2**63), 0]),
        ("price", [Decimal("99999999999999.99"), Decimal("0.10"), Decimal(-3)]),
        ("word", ["'", '"', "\\", "\\'", "\\n", "\n\r\t", "%s :rows", "\0\x1a", "ÄöĀ😀", "", " a "]),
        ("raw", [bytes(range(256)), b"", b"'\\\"", b"Key"]),
        ("digest", [b"\xff" * 32, b"\0" * 32]),
        ("tree", [{"a": ["'", '"', "\\", "😀", 1, None]}, [], {}, "text", 7]),
    ],
)
def test_what_is_stored_is_what_was_given_and_the_absent_is_null(
    database: Database, name: str, values: list[object]
) -> None:
    rows = [{name: value} for value in (*values, None)]
    database.transact(insert, things, rows)
    assert stored(database, name) == [*values, None]
    absent = select(func.count()).where(text(f"{name} IS NULL")).select_from(things)  # JSON's null is read as None too
    assert database.transact(lambda connection: connection.execute(absent).scalar_one()) == 1


def test_a_time_is_stored_in_utc_to_the_microsecond(database: Database) -> None:
    here = datetime(2026, 11, 22, 15, 1, 2, 123456, tzinfo=UTC)
    there = here.astimezone(timezone(timedelta(hours=5)))
    stored_as = here.replace(tzinfo=None)
    database.transact(insert, things, [{"at": here}, {"at": there}, {"at": stored_as}, {"at": None}])
    assert stored(database, "at") == [stored_as] * 3 + [None]


@pytest.mark.parametrize(
    "row", [{"word": "too long!"}, {"price": Decimal("999999999999999")}, {"digest": b"x" * 33}, {"at": "yesterday"}]
)
def test_what_does_not_fit_is_refused_with_all_its_batch_and_never_cut(
    database: Database, row: dict[str, object]
) -> None:
    fitting = dict.fromkeys(row)
    with pytest.raises(exc.DBAPIError):
        database.transact(insert, things, [fitting, row])
    assert stored(database, "id") == []


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("number", 2**63 - 1, 2**63 - 1),
        ("price", Decimal("99999999999999.90"), "99999999999999.90"),
        ("word", "'\"\\\n😀", "'\"\\\n😀"),
        ("raw", b"\0Key'\xff", "004b657927ff"),
        ("at", datetime(2026, 11, 22, 15, 1, 2, 100), "2026-11-22 15:01:02.000100"),  # noqa: DTZ001 - as it is stored
        ("tree", {"a": ["'", '"', "\\", "😀", 1, None]}, {"a": ["'", '"', "\\", "😀", 1, None]}),
        ("tree", "text", "text"),
    ],
)
def test_a_row_is_read_as_one_array(database: Database, name: str, value: object, read: object) -> None:
    database.transact(insert, things, [{name: value}, {name: None}])
    query = select(array_of([things.c.id, things.c[name]])).order_by(things.c.id)
    arrays = [
        orjson.loads(row) for row in database.transact(lambda connection: list(connection.execute(query).scalars()))
    ]
    assert [(id_, found.lower() if name == "raw" and found else found) for id_, found in arrays] == [
        (1, read),
        (2, None),
    ]


def test_a_value_of_a_type_unknown_here_is_refused(database: Database) -> None:
    with pytest.raises(TypeError):
        database.transact(insert, things, [{"word": object()}])


def test_a_row_whose_key_is_taken_changes_nothing_if_the_first_is_to_be_kept(database: Database) -> None:
    database.transact(insert, things, [{"number": 1, "word": "first"}])
    rows = [{"number": 1, "word": "second"}, {"number": 2, "word": "new"}, {"number": 2, "word": "twin"}]
    database.transact(insert, things, rows, keep_first=True)
    assert stored(database, "word") == ["first", "new"]


def test_computed_columns_are_the_servers(database: Database) -> None:
    database.transact(insert, things, [{"number": 1}, {"number": 2}], word="UPPER('abc')")
    assert stored(database, "word") == ["ABC", "ABC"]


def test_any_number_of_rows_is_one_statement(database: Database) -> None:
    rows = [{"number": n} for n in range(1000)]
    assert statements(database, insert, things, rows, at="NOW(6)") == 1
    assert len(stored(database, "id")) == 1000


def test_no_rows_are_no_statement(database: Database) -> None:
    assert statements(database, insert, things, []) == 0
