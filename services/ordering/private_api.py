"""What operators ask of ordering. Never through the gateway."""

from fastapi import APIRouter
from redis import asyncio as redis

from chassis.database.transactions import Database
from chassis.messaging import dead_letter_routes
from chassis.web.fields import Flag, PathId
from chassis.web.head import CallerOf
from chassis.web.metrics import stock_differences
from chassis.web.openapi import refusals
from chassis.web.routes import private_router
from contracts.reservations import StockProof
from ordering.announce_again import announce
from ordering.cancel_order import cancel
from ordering.catalog_client import CatalogClient
from ordering.model import dead_letters
from ordering.prove_stock import prove
from ordering.redrive_order import redrive
from ordering.views import OrderView, view


def routes(database: Database, aside: Database, catalog: CatalogClient, client: redis.Redis) -> APIRouter:
    router = private_router()
    dead_letter_routes.add_routes(router, database, client, dead_letters)

    @router.post("/orders/{order_id}/redrive", operation_id="operator_redrive_order", responses=refusals(409))
    async def redrive_one(order_id: PathId, caller: CallerOf) -> OrderView:
        """Give a failed order another chance."""
        return view(await database.run(redrive, order_id, caller))

    @router.post("/orders/{order_id}/cancel", operation_id="operator_cancel_order", responses=refusals(409))
    async def cancel_one(order_id: PathId, caller: CallerOf, *, force: Flag = False) -> OrderView:
        """As the public route does. With `force` also an order that failed when it may have been shipped already."""
        return view(await database.run(cancel, order_id, caller, forced=force))

    @router.post("/orders/{order_id}/announce", operation_id="announce_order", responses=refusals(409))
    async def announce_one(order_id: PathId, caller: CallerOf) -> OrderView:
        """Say again what fulfilment has not answered; a repeat does no harm."""
        return view(await database.run(announce, order_id, caller))

    @router.get("/stock-proof", operation_id="prove_stock")
    async def prove_stock() -> StockProof:
        """Every stock, movement and reservation against every order. Takes a while on large tables."""
        proof = await prove(aside, catalog)
        stock_differences.set(len(proof.differences))
        return proof

    return router
