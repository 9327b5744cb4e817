"""Fulfilment's HTTP API and its wiring."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.messaging import dead_letter_routes, streams
from chassis.problems import NotFound
from chassis.process import heartbeat
from chassis.process.gather import Gather
from chassis.web.app import create_app
from chassis.web.fields import PathId, UtcTime
from chassis.web.routes import private_router, public_router
from fulfilment import fulfilments
from fulfilment.access import RULES
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import State, dead_letters, workers
from fulfilment.settings import Settings


class FulfilmentView(BaseModel):
    """`attempt` is the number of the latest try, `failures` how many of them failed."""

    order_id: int
    state: State
    attempt: int
    failures: int
    reason: str | None
    taken_at: UtcTime | None
    started_at: UtcTime | None
    decided_at: UtcTime | None


def view(row: Fulfilment) -> FulfilmentView:
    return FulfilmentView.model_validate({**row._asdict(), "attempt": row.fence})


def build(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    database = Database(settings.database_url, connections=settings.connections)
    client = streams.connect(settings.redis_url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()
        database.close()

    checks = {
        "database": database.ping,
        "worker": lambda: database.run(heartbeat.require_alive, workers),
        "redis": lambda: streams.check(client),
    }
    private = private_router()
    dead_letter_routes.add_routes(private, database, client, dead_letters)
    access = settings.auth.access(RULES, {"operator": settings.operator_tokens})
    return create_app("fulfilment", lifespan, checks, access, _public(database), private)


def _public(database: Database) -> APIRouter:
    router = public_router("/api/v1/fulfilments")
    read: Gather[int, Fulfilment] = Gather(lambda ids: database.run(_read, ids))

    @router.get("/{order_id}", operation_id="read_fulfilment")
    async def read_one(order_id: PathId) -> FulfilmentView:
        """How the step of an order goes, tries included."""
        return view(await read(order_id))

    return router


def _read(connection: Connection, order_ids: Sequence[int]) -> list[Fulfilment | NotFound]:
    found = fulfilments.read(connection, order_ids)
    return [found.get(order_id) or NotFound("Fulfilment not found") for order_id in order_ids]
