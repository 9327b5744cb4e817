"""What an attack must find is found, when it is planted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Response, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from catalog.tests.serving import serving
from fuzz.attack import Attack
from fuzz.books import Books
from fuzz.callers import Callers
from fuzz.tally import Tally
from harness.engine import MySQLServer
from harness.schemas import Schema
from local.development_issuer import DevelopmentIssuer
from local.secrets import Secrets

PLANT = "INSERT INTO catalog.products (name, price, stock) VALUES ('Laptop', 1, 0)"


class Item(BaseModel):
    count: int


@pytest.fixture
def books(mysql_server: MySQLServer, catalog_schema: Schema, ordering_schema: Schema) -> Books:
    return Books(mysql_server)


@pytest.fixture
def faulty(mysql_server: MySQLServer) -> Iterator[str]:
    """A server with a route for each kind of fault."""
    app = FastAPI()

    @app.get("/crashes")
    async def crashes() -> Response:
        return Response("{}", 500, media_type="application/json")

    @app.get("/says-what-is-not-declared")
    async def undeclared() -> Response:
        return Response("{}", 418, media_type="application/json")

    @app.post("/refuses-what-is-right", responses={400: {"content": {"application/json": {}}}})
    async def refuses(_item: Item) -> Response:
        return Response("{}", 400, media_type="application/json")

    @app.get("/leaves-a-row", responses={404: {"content": {"application/json": {}}}})
    async def leaves() -> Response:
        mysql_server.execute(PLANT)
        return Response("{}", 404, media_type="application/json")

    @app.get("/asks-for-a-token", dependencies=[Security(HTTPBearer(scheme_name="token", auto_error=False))])
    async def looks_at_none() -> dict[str, str]:
        return {}

    with serving(app) as url:
        yield url


def test_each_kind_of_fault_is_found_where_it_is(faulty: str, books: Books, tmp_path: Path) -> None:
    tally = Tally()

    Attack(
        "a", faulty, Callers(DevelopmentIssuer(tmp_path), Secrets(tmp_path)), books, tally, seed=1, cases_per_route=2
    ).run()

    assert {
        "a GET /crashes: answered 500",
        "a GET /says-what-is-not-declared: Undocumented status code",
        "a POST /refuses-what-is-right: Schema-valid request rejected",
        "a GET /asks-for-a-token: API accepts requests without authentication",
        "a GET /leaves-a-row: refused, and a row stays in catalog.products",
    } <= tally.found.keys()


def test_a_route_that_was_never_called_is_a_failure() -> None:
    tally = Tally(routes=["catalog GET /api/v1/products"])

    assert tally.failed
    assert "NEVER CALLED: catalog GET /api/v1/products" in tally.lines()


def test_a_row_that_a_refused_request_leaves_is_found_and_one_that_is_told_of_is_not(
    mysql_server: MySQLServer, books: Books
) -> None:
    found = []
    for rows, status, problem in ((1, 201, {}), (1, 422, {}), (1, 400, {"order_id": 1}), (0, 422, {})):
        mysql_server.execute(";".join([PLANT] * rows) or "SELECT 1")
        found.append(books.left_behind(status, problem))

    assert found == [[], ["catalog.products"], [], []]
