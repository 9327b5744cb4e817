"""The no-op: FastAPI parses the same bodies, validates them, answers alike, and does nothing else."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


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


class Product(BaseModel):
    id: int
    name: str
    price: float
    stock: int


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/api/v1/orders", status_code=201)
async def place(body: OrderIn) -> OrderOut:
    item = ItemOut(product_id=body.product_id, quantity=body.quantity, unit_price=9.99)
    return OrderOut(
        id=1,
        product_id=body.product_id,
        quantity=body.quantity,
        created_at="2026-01-01T00:00:00.000000Z",
        state="placed",
        items=[item],
        total=9.99 * body.quantity,
    )


@app.get("/api/v1/products/{product_id}")
async def read(product_id: int) -> Product:
    return Product(id=product_id, name="Product", price=9.99, stock=1_000_000)
