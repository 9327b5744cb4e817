"""A page costs what it holds, wherever in the list it lies."""

from collections.abc import Callable

import pytest
from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Select, String, Table, select, text

from chassis.database import Database
from chassis.paging import page_of

ROWS = 4_000
LIMIT = 10

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("filling", String(200), nullable=False),
    Index("by_kind", "kind"),
)


@pytest.fixture(autouse=True)
def many(create_tables: Callable[[MetaData], None], database: Database) -> None:
    create_tables(metadata)

    def fill(connection: Connection) -> None:
        rows = [{"kind": "rare" if n % 10 == 0 else "common", "filling": "x" * 200} for n in range(ROWS)]
        connection.execute(things.insert(), rows)

    database.transact(fill)
    database.transact(lambda connection: connection.execute(text("ANALYZE TABLE things")).close())


def read(connection: Connection, kind: str, after: int | None, newest_first: bool) -> tuple[list[int], int]:
    """The ids on the page, and how many rows the server stepped to for them."""
    page = page_of(select(things), things.c.kind, kind, things.c.id, after=after, newest_first=newest_first)
    before = _steps(connection)
    ids = [row.id for row in connection.execute(page.limit(LIMIT))]
    return ids, _steps(connection) - before


def _steps(connection: Connection) -> int:
    rows = connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read_%'"))
    return sum(int(row[1]) for row in rows if row[0] in {"Handler_read_next", "Handler_read_prev"})


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("kind", ["rare", "common"])
@pytest.mark.parametrize("after", [None, 0, ROWS // 2, ROWS + 1])
def test_a_page_is_read_without_what_lies_before_it(
    database: Database, kind: str, after: int | None, newest_first: bool
) -> None:
    wanted = database.transact(lambda connection: list(connection.execute(_all_of(kind)).scalars()))
    wanted = [id_ for id_ in wanted if after is None or (id_ < after if newest_first else id_ > after)]

    ids, steps = database.transact(read, kind, after, newest_first)

    assert ids == sorted(wanted, reverse=newest_first)[:LIMIT]
    assert steps <= LIMIT


def _all_of(kind: str) -> Select[int]:
    return select(things.c.id).where(things.c.kind == kind)
