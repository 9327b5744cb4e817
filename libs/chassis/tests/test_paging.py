"""A page costs what it holds, wherever in the list it lies."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    MetaData,
    Row,
    Select,
    String,
    Table,
    create_engine,
    func,
    select,
    text,
)

from chassis.database.transactions import Database
from chassis.web.paging import followed, page_of
from harness.schemas import Schema

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


def list_(connection: Connection, after: int) -> list[Row[Any]]:
    return list(connection.execute(select(things).where(things.c.id > after).order_by(things.c.id).limit(LIMIT)))


async def page_after(database: Database, after: int) -> list[int]:
    return [row.id for row in await followed(database, things.c.id, after, partial(list_, after=after))]


async def test_who_follows_a_list_misses_none_that_commits_late(scratch_schema: Schema, database: Database) -> None:
    engine = create_engine(scratch_schema.url)
    new = things.insert().values(kind="late", filling="")
    with engine.begin() as slow:
        slow.execute(new)
        database.transact(lambda connection: connection.execute(new).close())
        meanwhile = await page_after(database, ROWS)
    engine.dispose()

    assert meanwhile == []
    assert await page_after(database, ROWS) == [ROWS + 1, ROWS + 2]


async def test_what_commits_late_cuts_a_page_in_its_middle(scratch_schema: Schema, database: Database) -> None:
    engine = create_engine(scratch_schema.url)
    new = things.insert().values(kind="late", filling="")
    database.transact(lambda connection: connection.execute(new).close())
    with engine.begin() as slow:
        slow.execute(new)
        database.transact(lambda connection: connection.execute(new).close())

        assert await page_after(database, ROWS - 1) == [ROWS, ROWS + 1]
    engine.dispose()


async def test_a_row_rolled_back_and_one_deleted_cut_no_page(database: Database) -> None:
    def insert_and_fail(connection: Connection) -> None:
        connection.execute(things.insert().values(kind="gone", filling=""))
        raise LookupError

    with suppress(LookupError):
        database.transact(insert_and_fail)
    database.transact(lambda connection: connection.execute(things.delete().where(things.c.id == ROWS - 3)).close())
    database.transact(lambda connection: connection.execute(things.insert().values(kind="new", filling="")).close())

    assert await page_after(database, ROWS - 5) == [ROWS - 4, ROWS - 2, ROWS - 1, ROWS, ROWS + 2]


def test_only_what_asks_for_it_sees_what_is_not_committed(scratch_schema: Schema, database: Database) -> None:
    engine = create_engine(scratch_schema.url)
    single = Database(scratch_schema.url, connections=1)
    with engine.begin() as slow:
        slow.execute(things.insert().values(kind="late", filling=""))
        seen = [each.transact(newest) for each in (single, single.isolated("READ UNCOMMITTED"), single)]
    single.close()
    engine.dispose()

    assert seen == [ROWS, ROWS + 1, ROWS]


def newest(connection: Connection) -> int:
    return int(connection.execute(select(func.max(things.c.id))).scalar_one())
