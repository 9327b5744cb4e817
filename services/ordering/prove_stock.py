"""The stock proof across services: what catalog holds against the orders it is held for.

Two services can't be read in one moment, so a difference is only a candidate until it is seen again, by id, after every
placement that was under way has had its time.
"""

import asyncio
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select

from chassis.database.transactions import Database
from contracts.reservations import MAX_RESERVATIONS, Difference, HeldLines, StockProof
from ordering.catalog_client import CatalogClient
from ordering.model import State, orders
from ordering.orders import AN_ORDER, Order, fetch, read

HOLDING = frozenset({State.PLACED, State.FAILED, State.CANCELLING, State.RELEASING, State.FULFILLED})
EITHER_WAY = frozenset({State.PENDING, State.RELEASING})  # on their way to hold, or not to hold any more
SETTLING_SECONDS = 1.0
LOOKS = 3

Lines = dict[int, int]


async def prove(database: Database, catalog: CatalogClient) -> StockProof:
    """Catalog's own proof, and every order against what is held for it."""
    proof = await catalog.stock_proof()
    suspects = await _suspects(database, catalog)
    for _ in range(LOOKS):
        if not suspects:
            break
        await asyncio.sleep(SETTLING_SECONDS)
        suspects = await _compare(database, catalog, list(suspects))
    differences = [*proof.differences, *suspects.values()]
    return proof.model_copy(update={"differences": differences})


async def _suspects(database: Database, catalog: CatalogClient) -> dict[int, Difference]:
    """Both anti-joins: orders that should hold and don't, and reservations that shouldn't and do."""
    found: dict[int, Difference] = {}
    after = 0
    while page := await database.run(_next, after):
        known = {order.id: order for order in page if order.state in HOLDING}
        if known:
            found |= _differences(await catalog.held(list(known)), known)
        after = page[-1].id
    reached: int | None = 0
    while reached is not None:
        holding = await catalog.holders(reached)
        their_orders = await database.run(_known, [one.order_id for one in holding.reservations])
        found |= _differences(holding.reservations, {order.id: order for order in their_orders})
        reached = holding.through
    return found


async def _compare(database: Database, catalog: CatalogClient, ids: Sequence[int]) -> dict[int, Difference]:
    found: dict[int, Difference] = {}
    for start in range(0, len(ids), MAX_RESERVATIONS):
        some = ids[start : start + MAX_RESERVATIONS]
        known = {order.id: order for order in await database.run(_known, some)}
        found |= _differences(await catalog.held(some), known)
    return found


def _differences(held: Iterable[HeldLines], known: dict[int, Order]) -> dict[int, Difference]:
    found = {}
    for one in held:
        order = known.get(one.order_id)
        holds = {line.product_id: line.quantity for line in one.lines}
        if not _agree(order, holds):
            state = order.state if order else "unknown to ordering"
            says: dict[str, int | str | None] = {"order": state, "held": str(holds)}
            found[one.order_id] = Difference(about=f"order {one.order_id}", says=says)
    return found


def _agree(order: Order | None, holds: Lines) -> bool:
    ordered = {item.product_id: item.quantity for item in order.items} if order else {}
    if order is not None and order.state in EITHER_WAY and not holds:
        return True
    should_hold = order is not None and order.state in HOLDING | EITHER_WAY
    return holds == (ordered if should_hold else {})


def _known(connection: Connection, order_ids: Sequence[int]) -> list[Order]:
    return [order for order in read(connection, order_ids) if isinstance(order, Order)]


def _next(connection: Connection, after: int) -> list[Order]:
    """Whatever their state: looking for some, a statement might step over millions of others."""
    return fetch(connection, NEXT, after=after)


NEXT = select(AN_ORDER).where(orders.c.id > bindparam("after")).order_by(orders.c.id).limit(MAX_RESERVATIONS)
