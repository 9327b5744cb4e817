"""What ordering asks of catalog: to reserve stock for orders, and to take it back. Never through the gateway."""

import asyncio
import logging
import random
from collections.abc import Sequence

from fastapi import APIRouter, Response

from catalog import prove_stock, reserve_stock
from chassis.database.transactions import Database
from chassis.problems import Unavailable
from chassis.process.gather import Gather
from chassis.process.logs import Line, about, tell_each
from chassis.web.head import HeadOf
from chassis.web.metrics import stock_differences
from chassis.web.paging import PageQuery
from chassis.web.routes import private_router
from contracts.reservations import (
    HeldAnswer,
    HoldersAnswer,
    OrderIds,
    Outcome,
    ReleaseAnswer,
    Reservation,
    ReserveAnswer,
    ReserveRequest,
    Result,
    StockProof,
    reserve_answer,
    to_json,
)

log = logging.getLogger(__name__)

RESERVE = "/private/reservations"

LINES_AT_ONCE = 500  # in one locked transaction
# Seconds before a product that somebody else had locked is tried again. All that were asked for together wait as long.
PAUSES = (0.005, 0.01, 0.02, 0.04)


class GivenUp(Unavailable):
    """503: the caller's time is up. What had begun counts all the same."""

    def __init__(self) -> None:
        super().__init__("The caller doesn't wait any more; ask again")


def routes(database: Database, aside: Database) -> APIRouter:
    router = private_router()
    reserve_one: Gather[Reservation, bytes | None] = Gather(
        lambda asked: database.run(reserve_stock.reserve, asked),
        at_once=LINES_AT_ONCE,
        weight=lambda one: len(one.lines),
    )

    @router.post("/reservations", response_model=ReserveAnswer, operation_id="reserve_stock")
    async def reserve(body: ReserveRequest, head: HeadOf) -> Response:
        """Decide reservations, each once. What hasn't begun when the caller gives up never does.

        Calls of several ordering replicas share a transaction.
        """
        asked = body.reservations
        if head.seconds_left == 0:
            raise GivenUp
        try:
            async with asyncio.timeout(head.seconds_left):
                results = await _decided(reserve_one, asked)
        except TimeoutError:
            raise GivenUp from None
        told = (_told(one) for one, result in zip(asked, results, strict=True) if isinstance(result, bytes))
        tell_each(log, logging.DEBUG, told)
        _require_any(results)
        outcomes = [_outcome(one, result) for one, result in zip(asked, results, strict=True)]
        return Response(reserve_answer(outcomes), media_type="application/json")

    @router.post("/releases", operation_id="release_stock")
    async def release(request: OrderIds) -> ReleaseAnswer:
        """Give back what these orders hold."""
        return ReleaseAnswer(released=await database.run(reserve_stock.release, request.order_ids))

    @router.get("/stock-proof", operation_id="prove_catalog_stock")
    async def prove() -> StockProof:
        """Every stock against its movements and reservations."""
        proof = await aside.isolated("REPEATABLE READ").run(prove_stock.prove)
        stock_differences.set(len(proof.differences))
        return proof

    @router.get("/reservations", operation_id="list_reservations")
    async def holders(page: PageQuery) -> HoldersAnswer:
        """What is held by the next reservations by order id."""
        return await aside.run(prove_stock.holders, page.after or 0, page.limit)

    @router.post("/reservations/held", operation_id="read_held_stock")
    async def held(request: OrderIds) -> HeldAnswer:
        """What each of these orders holds."""
        return HeldAnswer(reservations=await aside.run(prove_stock.held, request.order_ids))

    return router


def _told(asked: Reservation) -> Line:
    return Line(f"Order #{asked.order_id} is decided on", asked.order_id, asked.request_id)


async def _decided(
    reserve_one: Gather[Reservation, bytes | None], asked: Sequence[Reservation]
) -> list[bytes | Exception | None]:
    """In the order asked. A lock held for a moment is waited out; what stays undecided is for the caller to ask again."""
    results = await _submitted(reserve_one, asked)
    for pause in PAUSES:
        held_up = [n for n, result in enumerate(results) if result is None]
        if not held_up:
            break
        await asyncio.sleep(random.uniform(0.5, 1.5) * pause)  # noqa: S311 - jitter
        again = await _submitted(reserve_one, [asked[n] for n in held_up])
        for n, result in zip(held_up, again, strict=True):
            results[n] = result
    return results


async def _submitted(
    reserve_one: Gather[Reservation, bytes | None], asked: Sequence[Reservation]
) -> list[bytes | Exception | None]:
    """One after the other: those of a batch are done together, and awaiting what is done costs less than `asyncio.gather`."""
    results: list[bytes | Exception | None] = []
    calls = [reserve_one.submit(one) for one in asked]
    try:
        for call in calls:
            try:
                results.append(await call)
            except Exception as error:  # noqa: BLE001 - it is its order's alone
                results.append(error)
    except asyncio.CancelledError:  # only the call that is awaited hears of it
        for call in calls:
            call.cancel()
        raise
    return results


def _require_any(results: Sequence[bytes | Exception | None]) -> None:
    """When none could be decided because something is away, the caller is told so: 503."""
    away = [result for result in results if isinstance(result, Unavailable)]
    if len(away) == len(results):
        raise away[0]


def _outcome(asked: Reservation, result: bytes | Exception | None) -> bytes:
    """One reservation that breaks holds up no other: its order stays in doubt and is asked for again."""
    if isinstance(result, bytes):
        return result
    if result is not None:
        log.error(
            "order %d could not be decided",
            asked.order_id,
            exc_info=result,
            extra=about(asked.order_id, asked.request_id),
        )
    return to_json(Outcome(asked.order_id, Result.UNDECIDED))
