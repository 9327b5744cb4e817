"""Pages by key, not by offset: page one million costs what page one does."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Column, Connection, Select, func, literal, select

from chassis.database.transactions import Database
from chassis.web.fields import MAX_ID, whole_number

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
RECENT = 20_000  # more ids than are given out in the time a transaction may take


class Page(BaseModel):
    """`after` is the last id of the page before, whichever way the list runs."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    after: Annotated[int, BeforeValidator(whole_number), Field(ge=0, le=MAX_ID)] | None = None


PageQuery = Annotated[Page, Query()]


class Identified(Protocol):
    @property
    def id(self) -> int: ...


Listed = TypeVar("Listed", bound=Identified)


def link_next(request: Request, response: Response, page: Page, rows: Sequence[Identified]) -> None:
    """Say where the list goes on, if it may."""
    if len(rows) == page.limit:
        query = {**request.query_params, "limit": page.limit, "after": rows[-1].id}
        response.headers["Link"] = f'<{request.url.path}?{urlencode(query)}>; rel="next"'


async def followed(
    database: Database, id_: Column[int], after: int, read: Callable[[Connection], list[Listed]]
) -> list[Listed]:
    """The rows of `read`, which come after the id `after`, up to the lowest id that a transaction under way has taken.

    Ids are given out before they are committed, so a page may show 2 and 4 while 3 is still on its way. Whoever follows
    the list to copy it would go on after 4. What remains is the instant between taking an id and writing its row.
    """
    found, recent = await database.isolated("REPEATABLE READ").run(_with_recent_ids, id_, after, read)
    if recent is None:
        return found
    written = await database.isolated("READ UNCOMMITTED").run(_recent_ids, id_, after, found[-1].id)
    open_ = written - recent
    return [row for row in found if row.id < min(open_)] if open_ else found


def _with_recent_ids(
    connection: Connection, id_: Column[int], after: int, read: Callable[[Connection], list[Listed]]
) -> tuple[list[Listed], set[int] | None]:
    """Both of one moment; None for a page of long ago, where nothing is under way."""
    found = read(connection)
    newest = connection.execute(select(func.max(id_))).scalar() or 0
    if not found or found[-1].id <= newest - RECENT:
        return found, None
    return found, _recent_ids(connection, id_, after, found[-1].id)


def _recent_ids(connection: Connection, id_: Column[int], after: int, upto: int) -> set[int]:
    return set(connection.execute(select(id_).where(id_ > max(after, upto - RECENT), id_ <= upto)).scalars())


def page_of(
    query: Select[Any], key: Column[Any], value: object, id_: Column[int], *, after: int | None, newest_first: bool
) -> Select[Any]:
    """`query`'s rows with this `value` of `key`, which is indexed, by id.

    Written as a range of (key, id): told that key equals value, MariaDB steps over all such rows that come before the page.
    """
    query = query.where(key >= literal(value), key <= literal(value))
    if after is not None:
        query = query.where(id_ < after if newest_first else id_ > after)
    return query.order_by(key.desc(), id_.desc()) if newest_first else query.order_by(key, id_)
