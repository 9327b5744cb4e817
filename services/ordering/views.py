"""How an order looks outside."""

from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from chassis.problems import Conflict, NotFound, Problem
from chassis.web.fields import Money, UtcTime
from contracts.reservations import Outcome, Result
from ordering.model import State
from ordering.orders import Order

ORDERS = "/api/v1/orders"


class InsufficientStock(Problem):
    """400: somebody was faster, or it was too much from the start."""


class ItemView(BaseModel):
    product_id: int
    quantity: int
    unit_price: Money | None


class OrderView(BaseModel):
    """`product_id` and `quantity` stand for an order of one item, and are null for others."""

    id: int
    product_id: int | None
    quantity: int | None
    created_at: UtcTime
    state: State
    items: list[ItemView]
    total: Money | None


def view(order: Order, state: State | None = None) -> OrderView:
    """`state` stands in for the order's own."""
    only = order.items[0] if len(order.items) == 1 else None
    return OrderView(
        id=order.id,
        product_id=only.product_id if only else None,
        quantity=only.quantity if only else None,
        created_at=order.created_at,
        state=state or order.state,
        items=[ItemView.model_validate(item, from_attributes=True) for item in order.items],
        total=order.total,
    )


def placement_answer(order: Order) -> Response:
    """What placing this order was answered, the first time and every time its key comes again, whatever came later."""
    if order.refusal is not None:
        return refusal(order.id, order.refusal).response()
    placed = view(order, State.PLACED)
    headers = {"Location": f"{ORDERS}/{order.id}"}
    return Response(placed.model_dump_json(), HTTPStatus.CREATED, headers, media_type="application/json")


def refusal(order_id: int, outcome: Outcome) -> Problem:
    if outcome.result is Result.PRODUCT_NOT_FOUND:
        return NotFound("Product not found", order_id=order_id, missing=outcome.missing)
    if outcome.result is Result.PRICE_CHANGED:
        assert outcome.total is not None
        return Conflict("The price has changed", order_id=order_id, total=float(outcome.total))
    shortages: list[dict[str, Any]] = [vars(shortage) for shortage in outcome.shortages]
    return InsufficientStock("Insufficient stock", order_id=order_id, shortages=shortages)
