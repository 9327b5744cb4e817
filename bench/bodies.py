"""What an order is asked for with and answered by, the same for the no-op and the usual design."""

from typing import Annotated

from pydantic import BaseModel, Field


class OrderIn(BaseModel):
    product_id: Annotated[int, Field(ge=1)]
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class ItemOut(BaseModel):
    product_id: int
    quantity: int
    unit_price: float


class OrderOut(BaseModel):
    id: int
    product_id: int
    quantity: int
    created_at: str
    state: str
    items: list[ItemOut]
    total: float


def placed(body: OrderIn, id_: int, price: float, created_at: str) -> OrderOut:
    return OrderOut(
        id=id_,
        product_id=body.product_id,
        quantity=body.quantity,
        created_at=created_at,
        state="placed",
        items=[ItemOut(product_id=body.product_id, quantity=body.quantity, unit_price=price)],
        total=price * body.quantity,
    )
