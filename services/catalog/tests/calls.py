"""Calls that several tests make of the public API."""

from typing import Any

import httpx

LAPTOP = {"name": "Laptop", "price": 999.99, "stock": 5}


def create(client: httpx.Client, **changed: Any) -> int:
    created = client.post("/products", json=LAPTOP | changed)
    assert created.status_code == 201
    return int(created.json()["id"])


def deltas(client: httpx.Client, product_id: int) -> list[int]:
    """Newest first, as the API lists them."""
    return [movement["delta"] for movement in client.get(f"/products/{product_id}/stock-movements").json()]


def require_problem(response: httpx.Response, status: int, detail: str) -> None:
    assert (response.status_code, response.json()["detail"]) == (status, detail)
    assert response.headers["content-type"] == "application/problem+json"
