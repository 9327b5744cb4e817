"""The app. The session is opened in the endpoint: in a dependency with `yield` it would need a second thread to close, and
with more clients than threads the app would stop answering."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import anyio
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from bench.usual.database import THREADS, Order, Product, Session
from bench.usual.tasks import process


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


app = FastAPI(lifespan=lifespan)


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


@app.get("/livez")
def livez() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/api/v1/orders", status_code=201)
def place(body: OrderIn) -> OrderOut:
    with Session.begin() as session:
        product = session.get(Product, body.product_id, with_for_update=True)
        if product is None:
            raise HTTPException(404, "Product not found")
        if product.stock < body.quantity:
            raise HTTPException(400, "Insufficient stock")
        product.stock -= body.quantity
        order = Order(
            product_id=product.id,
            quantity=body.quantity,
            unit_price=product.price,
            state="placed",
            created_at=datetime.now(UTC).isoformat(),
        )
        session.add(order)
    process.delay(order.id)
    return _view(order)


def _view(order: Order) -> OrderOut:
    price = float(order.unit_price)
    item = ItemOut(product_id=order.product_id, quantity=order.quantity, unit_price=price)
    return OrderOut(
        id=order.id,
        product_id=order.product_id,
        quantity=order.quantity,
        created_at=order.created_at,
        state=order.state,
        items=[item],
        total=price * order.quantity,
    )
