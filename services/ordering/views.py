"""How an order looks outside."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response

from chassis.problems import Conflict, NotFound, Problem
from chassis.web.fields import Money, utc
from contracts.reservations import Outcome, Result
from ordering.model import State
from ordering.orders import Order

ORDERS = "/api/v1/orders"


class InsufficientStock(Problem):
    """400: somebody was faster, or it was too much from the start."""


class LimitReached(Conflict):
    """409, as for a price that has changed: the order is right in itself, and is in the way of how things stand."""


@dataclass
class ItemView:
    product_id: int
    quantity: int
    unit_price: Money | None


@dataclass
class OrderView:
    """`product_id` and `quantity` stand for an order of one item, and are null for others."""

    id: int
    product_id: int | None
    quantity: int | None
    created_at: datetime
    state: State
    items: list[ItemView]
    total: Money | None


def view(order: Order, state: State | None = None) -> OrderView:
    """`state` stands in for the order's own."""
    items = [ItemView(item.product_id, item.quantity, item.unit_price) for item in order.items]
    only = items[0] if len(items) == 1 else None
    return OrderView(
        id=order.id,
        product_id=only.product_id if only else None,
        quantity=only.quantity if only else None,
        created_at=utc(order.created_at),
        state=state or order.state,
        items=items,
        total=order.total,
    )


def placement_answer(order: Order) -> Response:
    """What placing this order was answered, the first time and every time its key comes again, whatever came later.

    Written by orjson, which makes of an order the same bytes as pydantic does where FastAPI answers with one.
    """
    if order.refusal is not None:
        return refusal(order.id, order.refusal).response()
    body = orjson.dumps(view(order, State.PLACED), float, orjson.OPT_UTC_Z)
    headers = {"Location": f"{ORDERS}/{order.id}"}
    return Response(body, HTTPStatus.CREATED, headers, media_type="application/json")


def refusal(order_id: int, outcome: Outcome) -> Problem:
    if outcome.result is Result.PRODUCT_NOT_FOUND:
        return NotFound("Product not found", order_id=order_id, missing=outcome.missing)
    if outcome.result is Result.PRICE_CHANGED:
        assert outcome.total is not None
        return Conflict("The price has changed", order_id=order_id, total=float(outcome.total))
    if outcome.result is Result.LIMIT_REACHED:
        return LimitReached("More than one customer may have", order_id=order_id, limits=[*map(vars, outcome.limits)])
    shortages: list[dict[str, Any]] = [vars(shortage) for shortage in outcome.shortages]
    return InsufficientStock("Insufficient stock", order_id=order_id, shortages=shortages)
