"""The no-op: FastAPI parses the same bodies, validates them, answers alike, and does nothing else."""

from fastapi import FastAPI
from pydantic import BaseModel

from bench.bodies import OrderIn, OrderOut, placed

app = FastAPI()


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
    return placed(body, 1, 9.99, "2026-01-01T00:00:00.000000Z")


@app.get("/api/v1/products/{product_id}")
async def read(product_id: int) -> Product:
    return Product(id=product_id, name="Product", price=9.99, stock=1_000_000)
