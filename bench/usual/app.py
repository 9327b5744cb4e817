"""The app. The session is opened in the endpoint: in a dependency with `yield` it would need a second thread to close, and
with more clients than threads the app would stop answering."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
from fastapi import FastAPI, HTTPException

from bench.bodies import OrderIn, OrderOut, placed
from bench.usual.database import THREADS, Order, Product, Session
from bench.usual.tasks import process


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


app = FastAPI(lifespan=lifespan)


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
    return placed(body, order.id, float(order.unit_price), order.created_at)
