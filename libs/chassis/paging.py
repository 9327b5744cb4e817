"""Pages by key, not by offset: page one million costs what page one does."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Column, Select, literal

from chassis.web import MAX_ID, whole_number

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class Page(BaseModel):
    """`after` is the last id of the page before, whichever way the list runs."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    after: Annotated[int, BeforeValidator(whole_number), Field(ge=0, le=MAX_ID)] | None = None


PageQuery = Annotated[Page, Query()]


class Identified(Protocol):
    @property
    def id(self) -> int: ...


def link_next(request: Request, response: Response, page: Page, rows: Sequence[Identified]) -> None:
    """Say where the list goes on, if it may."""
    if len(rows) == page.limit:
        query = {**request.query_params, "limit": page.limit, "after": rows[-1].id}
        response.headers["Link"] = f'<{request.url.path}?{urlencode(query)}>; rel="next"'


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
