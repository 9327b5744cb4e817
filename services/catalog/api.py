"""Catalog's public HTTP API, and the wiring of the service."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import Connection

from catalog import manage_products, private_api
from catalog.access import RULES
from catalog.manage_products import Deleted, Product, StockMovement, Versioned
from catalog.model import MAX_STOCK, idempotency_keys, products
from catalog.settings import Settings
from chassis.database.transactions import CONNECTIONS_ASIDE, Database
from chassis.problems import PreconditionFailed
from chassis.process.gather import Gather
from chassis.web.app import create_app
from chassis.web.fields import Body, PathId, Price, Text255
from chassis.web.head import Head, HeadOf
from chassis.web.idempotency import fingerprint, once
from chassis.web.openapi import answers, refusals
from chassis.web.paging import PageQuery, followed, link_next
from chassis.web.routes import public_router

PRODUCTS = "/api/v1/products"
# Not its movements: those of a product that is sold no more can still be read.
OF_A_PRODUCT = ("read_product", "replace_product", "adjust_stock", "delete_product")

Answer = TypeVar("Answer", bound=BaseModel)


def build(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    database = Database(settings.database_url, connections=settings.connections)
    aside = Database(settings.database_url, connections=CONNECTIONS_ASIDE)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        aside.close()
        database.close()

    return create_app(
        "catalog",
        lifespan,
        {"database": database.ping},
        settings.auth.access(RULES, {"ordering": settings.ordering_tokens}),
        private_api.routes(database, aside),
        _reads(database, aside),
        _writes(database),
        fast_paths=[private_api.RESERVE],
    )


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be 0")
    return value


class ProductBody(Body):
    name: Text255
    price: Price
    stock: Annotated[int, Field(ge=0, le=MAX_STOCK)]
    max_per_customer: Annotated[int, Field(ge=1, le=MAX_STOCK)] | None = None


class AdjustmentBody(Body):
    delta: Annotated[
        int, Field(ge=-MAX_STOCK, le=MAX_STOCK, json_schema_extra={"not": {"const": 0}}), AfterValidator(_not_zero)
    ]
    reason: Text255


async def _version(if_match: Annotated[str | None, Header(alias="If-Match")] = None) -> int | None:
    """The version that a PUT insists on, None for any. An ETag that isn't ours matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    ours = re.fullmatch('"([0-9]{1,19})"', if_match.strip())
    if ours is None:
        raise PreconditionFailed(manage_products.STALE)
    return int(ours[1])


ExpectedVersion = Annotated[int | None, Depends(_version)]


def _actor(head: Head) -> str | None:
    """Who changes a stock, if he said who he is."""
    return head.caller.id or None


def _with_etag(response: Response, found: Versioned) -> Product:
    response.headers["ETag"] = f'"{found.version}"'
    return found.product


def _reads(database: Database, aside: Database) -> APIRouter:
    """`aside` is for what may take its time, so that reserving never waits for a connection."""
    router = public_router(PRODUCTS)
    one: Gather[int, Versioned] = Gather(lambda ids: database.run(manage_products.read, ids))

    @router.get("", operation_id="list_products", responses=answers(200, "Link"))
    async def list_(request: Request, response: Response, page: PageQuery) -> list[Product]:
        """Products by ascending id, a page at a time."""
        after = page.after or 0
        found = await followed(
            aside, products.c.id, after, partial(manage_products.list_, after=after, limit=page.limit)
        )
        link_next(request, response, page, found)
        return found

    @router.get("/{product_id}", operation_id="read_product", responses=answers(200, "ETag"))
    async def read(product_id: PathId, response: Response) -> Product:
        """A product, with its version as ETag."""
        return _with_etag(response, await one(product_id))

    @router.get("/{product_id}/stock-movements", operation_id="list_stock_movements", responses=answers(200, "Link"))
    async def movements(
        request: Request, response: Response, product_id: PathId, page: PageQuery
    ) -> list[StockMovement]:
        """What happened to a stock, newest first. Those of a deleted product can still be read."""
        found = await aside.run(manage_products.movements, product_id, page.after, page.limit)
        link_next(request, response, page, found)
        return found

    return router


def _writes(database: Database) -> APIRouter:
    router = public_router(PRODUCTS)

    async def write(
        head: Head, request: list[Any], answer: type[Answer], work: Callable[[Connection], Answer]
    ) -> Answer:
        return await once(database, idempotency_keys, head, fingerprint(*request), answer, work)

    @router.post(
        "",
        status_code=201,
        operation_id="create_product",
        responses=answers(201, "Location", "ETag", leads_to={"product_id": OF_A_PRODUCT}),
    )
    async def create(body: ProductBody, head: HeadOf, response: Response) -> Product:
        """Make a product."""
        fields = body.model_dump()
        work = partial(manage_products.create, **fields, actor=_actor(head))
        created = await write(head, ["create", fields], Versioned, work)
        response.headers["Location"] = f"{PRODUCTS}/{created.product.id}"
        return _with_etag(response, created)

    @router.put("/{product_id}", operation_id="replace_product", responses=answers(200, "ETag") | refusals(412))
    async def replace(
        product_id: PathId, body: ProductBody, version: ExpectedVersion, head: HeadOf, response: Response
    ) -> Product:
        """Replace all of a product, its stock too. With `If-Match`, only if it is still the version that was read."""
        fields = body.model_dump()
        work = partial(manage_products.replace, product_id=product_id, version=version, actor=_actor(head), **fields)
        replaced = await write(head, ["replace", product_id, version, fields], Versioned, work)
        return _with_etag(response, replaced)

    @router.delete("/{product_id}", operation_id="delete_product")
    async def delete(product_id: PathId, head: HeadOf) -> Deleted:
        """Sell a product no more. Orders that were placed go on."""
        work = partial(manage_products.delete, product_id=product_id)
        return await write(head, ["delete", product_id], Deleted, work)

    @router.post(
        "/{product_id}/stock-adjustments", status_code=201, operation_id="adjust_stock", responses=refusals(409)
    )
    async def adjust(product_id: PathId, body: AdjustmentBody, head: HeadOf) -> StockMovement:
        """Add to a stock, or take from it, whatever others do to it meanwhile."""
        delta, reason = body.delta, body.reason
        work = partial(manage_products.adjust, product_id=product_id, delta=delta, reason=reason, actor=_actor(head))
        return await write(head, ["adjust", product_id, body.model_dump()], StockMovement, work)

    return router
