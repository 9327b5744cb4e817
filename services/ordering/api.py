"""Ordering's HTTP API and its wiring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import ConfigDict, Field, model_validator

from chassis import request_ids
from chassis.database.transactions import CONNECTIONS_ASIDE, Database
from chassis.messaging import streams
from chassis.process import heartbeat
from chassis.process.gather import Gather
from chassis.web.access import Role
from chassis.web.app import Checks, create_app, require_all
from chassis.web.fields import MAX_ID, Amount, Body, PathId
from chassis.web.head import CallerOf, Head, HeadOf
from chassis.web.idempotency import fingerprint, generated_key
from chassis.web.openapi import answers, refusals
from chassis.web.paging import Page, followed, link_next
from chassis.web.routes import public_router
from contracts.reservations import Line
from ordering import orders, private_api
from ordering.accept_orders import NewOrder
from ordering.access import RULES
from ordering.call_limit import CallLimit
from ordering.cancel_order import cancel, status_of
from ordering.catalog_client import CatalogClient
from ordering.model import MAX_ITEMS, MAX_QUANTITY, State, workers
from ordering.model import orders as table
from ordering.neighbours import FulfilmentClient
from ordering.orders import Order
from ordering.place_orders import Stages, place
from ordering.redrive_order import redrive
from ordering.settings import Settings
from ordering.stages import stages
from ordering.timeline import StepView, timeline
from ordering.views import ORDERS, OrderView, placement_answer, view

OF_AN_ORDER = ("read_order", "cancel_order", "read_timeline")


class ItemBody(Body):
    product_id: Annotated[int, Field(ge=1, le=MAX_ID)]
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


def _told_apart(schema: dict[str, Any]) -> None:
    """JSON Schema has no other way to say "either" than to write out both forms."""
    fields = schema.pop("properties")
    forms = [("product_id", "quantity"), ("items",)]
    schema["oneOf"] = [
        {
            "type": "object",
            "properties": {
                "expected_total": fields["expected_total"],
                **{name: {"type": "null"} for other in forms for name in other},
                **{name: fields[name]["anyOf"][0] for name in form},
            },
            "required": list(form),
            "additionalProperties": schema["additionalProperties"],
        }
        for form in forms
    ]
    del schema["additionalProperties"]


class OrderBody(Body):
    """Either `product_id` and `quantity`, or `items`, each of another product."""

    model_config = ConfigDict(json_schema_extra=_told_apart)

    product_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)] | None = None
    items: Annotated[list[ItemBody], Field(min_length=1, max_length=MAX_ITEMS)] | None = None
    expected_total: Amount | None = None

    @model_validator(mode="after")
    def one_form(self) -> Self:
        given = (self.product_id is not None, self.quantity is not None, self.items is not None)
        if given not in {(True, True, False), (False, False, True)}:
            raise ValueError("give either product_id and quantity, or items")
        if self.items is not None and len({item.product_id for item in self.items}) < len(self.items):
            raise ValueError("a product may stand in an order once")
        return self

    def lines(self) -> list[Line]:
        if self.items is not None:
            return [Line(product_id=item.product_id, quantity=item.quantity) for item in self.items]
        assert self.product_id is not None
        assert self.quantity is not None
        return [Line(product_id=self.product_id, quantity=self.quantity)]


def build(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    database = Database(settings.database_url, connections=settings.connections)
    aside = Database(settings.database_url, connections=CONNECTIONS_ASIDE)
    catalog = CatalogClient(settings.catalog_url, settings.catalog_token, settings.catalog_seconds)
    fulfilment = FulfilmentClient(settings.fulfilment_url)
    client = streams.connect(settings.redis_url)
    limit = CallLimit(settings.redis_url, settings.orders_per_customer_per_minute)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await catalog.close()
        await fulfilment.close()
        await limit.close()
        await client.aclose()
        aside.close()
        database.close()

    return create_app(
        "ordering",
        lifespan,
        {"database": database.ping},
        settings.auth.access(RULES, {"operator": settings.operator_tokens}),
        _placing(limit, stages(database, catalog), settings.placing_seconds),
        _reads(database, aside),
        _changes(database),
        private_api.routes(database, aside, catalog, client),
        _health(
            {
                "ordering": database.ping,
                "ordering worker": lambda: database.run(heartbeat.require_alive, workers),
                "catalog": catalog.check,
                "fulfilment": fulfilment.check,
                "redis": lambda: streams.check(client),
            }
        ),
        fast_paths=[ORDERS],
    )


def _health(checks: Checks) -> APIRouter:
    router = public_router("")

    @router.get("/health", operation_id="check_health")
    async def health() -> dict[str, str]:
        """Healthy when an order can be placed and fulfilled; else 503 and what is down."""
        await require_all(checks)
        return {"status": "healthy"}

    return router


class OrdersQuery(Page):
    sort: Literal["id", "-id"] = "id"
    state: State | None = None


def _new_order(body: OrderBody, head: Head) -> NewOrder:
    lines = body.lines()
    canonical = sorted((line.product_id, line.quantity) for line in lines)
    return NewOrder(
        key=head.key or generated_key(),
        fingerprint=fingerprint("order", canonical, body.expected_total),
        lines=lines,
        expected_total=body.expected_total,
        customer=head.caller.id,
        request_id=request_ids.current(),
    )


def _placing(limit: CallLimit, placing: Stages, within_seconds: float) -> APIRouter:
    router = public_router(ORDERS)

    @router.post(
        "",
        status_code=201,
        response_model=OrderView,
        operation_id="create_order",
        responses=answers(201, "Location", leads_to={"order_id": OF_AN_ORDER}) | refusals(404, 409),
    )
    async def create(body: OrderBody, head: HeadOf) -> Response:
        """Place an order. The same `Idempotency-Key` leads to the same order, however often it is sent."""
        await limit.admit(head.caller.id)
        return placement_answer(await place(_new_order(body, head), placing, head.within(within_seconds)))

    return router


def _reads(database: Database, aside: Database) -> APIRouter:
    """`aside` is for what may take its time, so that placing never waits for a connection."""
    router = public_router(ORDERS)
    read: Gather[int, Order] = Gather(lambda ids: database.run(orders.read, ids))

    @router.get("", operation_id="list_orders", responses=answers(200, "Link"))
    async def list_(
        request: Request, response: Response, caller: CallerOf, query: Annotated[OrdersQuery, Query()]
    ) -> list[OrderView]:
        """All for staff; a customer's own for a customer."""
        newest_first = query.sort == "-id"
        page = partial(
            orders.list_,
            after=query.after,
            limit=query.limit,
            state=query.state,
            newest_first=newest_first,
            customer=caller.id if caller.role is Role.CUSTOMER else None,
        )
        followable = not newest_first and query.state is None
        found = await (followed(aside, table.c.id, query.after or 0, page) if followable else aside.run(page))
        link_next(request, response, query, found)
        return [view(order) for order in found]

    @router.get("/{order_id}", operation_id="read_order")
    async def read_one(order_id: PathId, caller: CallerOf) -> OrderView:
        """An order as it stands."""
        return view(orders.visible(await read(order_id), caller))

    @router.get("/{order_id}/timeline", operation_id="read_timeline")
    async def read_timeline(order_id: PathId, caller: CallerOf) -> list[StepView]:
        """Every step of an order so far, oldest first."""
        return await aside.run(timeline, order_id, caller)

    return router


def _changes(database: Database) -> APIRouter:
    """Both are idempotent by themselves, so a key is checked but needs no keeping."""
    router = public_router(ORDERS)

    @router.post(
        "/{order_id}/cancel", operation_id="cancel_order", responses={**refusals(409), 202: {"model": OrderView}}
    )
    async def cancel_one(order_id: PathId, head: HeadOf, response: Response) -> OrderView:
        """Ask to cancel an order. Whether it comes in time is seen in its state."""
        order = await database.run(cancel, order_id, head.caller)
        response.status_code = status_of(order)
        return view(order)

    @router.post("/{order_id}/redrive", operation_id="redrive_order", responses=refusals(409))
    async def redrive_one(order_id: PathId, head: HeadOf) -> OrderView:
        """Give a failed order another chance."""
        return view(await database.run(redrive, order_id, head.caller))

    return router
