"""Catalog's HTTP API and its wiring."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from catalog import manage_products
from catalog.manage_products import Product, Versioned
from catalog.model import MAX_STOCK, idempotency_keys
from catalog.settings import Settings
from chassis.database import Database
from chassis.gather import Gather
from chassis.idempotency import IdempotencyKey, fingerprint, once
from chassis.paging import PageQuery, link_next
from chassis.problems import PreconditionFailed
from chassis.web import Body, Price, Text255, create_app

PRODUCTS = "/api/v1/products"


class ProductBody(Body):
    name: Text255
    price: Price
    stock: Annotated[int, Field(ge=0, le=MAX_STOCK)]


class AdjustmentBody(Body):
    delta: Annotated[int, Field(ge=-MAX_STOCK, le=MAX_STOCK)]
    reason: Text255


def build(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    database = Database(settings.database_url, connections=settings.connections)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        database.close()

    app = create_app("catalog", lifespan, {"database": database.ping})
    app.include_router(_products(database))
    app.include_router(_private(database, settings.service_token))
    return app


def _if_match(if_match: Annotated[str | None, Header()] = None) -> int | None:
    """The version that a PUT insists on, None for any. An ETag that isn't ours matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    ours = re.fullmatch(r'"([0-9]{1,10})"', if_match.strip())
    if ours is None:
        raise PreconditionFailed("The product has changed since you read it")
    return int(ours[1])


def _products(database: Database) -> APIRouter:
    router = APIRouter(prefix=PRODUCTS, tags=["products"])
    read: Gather[int, Versioned] = Gather(lambda ids: database.run(manage_products.read, ids))

    async def write(key: str | None, request: list[Any], work: Any, *args: Any) -> dict[str, Any]:
        """Run a change once, although the connection may die in its COMMIT: even without a client's key it has one."""

        def change(connection: Connection) -> dict[str, Any]:
            return once(connection, idempotency_keys, unique_key, fingerprint(request), lambda: work(connection, *args))

        unique_key = key or f"generated:{uuid.uuid4()}"
        return await database.run(change)

    @router.post("", status_code=201, response_model=Product)
    async def create(body: ProductBody, key: IdempotencyKey, response: Response) -> Any:
        product = await write(key, ["create", body.model_dump()], _create, body)
        response.headers["Location"] = f"{PRODUCTS}/{product['id']}"
        return product

    @router.get("")
    async def list_(request: Request, response: Response, page: PageQuery) -> list[Product]:
        found = await database.run(manage_products.list_, page.after or 0, page.limit)
        link_next(request, response, page, found)
        return found

    return router
