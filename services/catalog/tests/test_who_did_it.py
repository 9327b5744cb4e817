"""Who changed a stock is kept with its movement, and shown where somebody said who he is."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from catalog import api
from catalog.settings import Settings
from catalog.tests.calls import LAPTOP, create
from catalog.tests.factories import a_product, an_order, release, reserve, rows
from chassis.database.transactions import Database
from chassis.web.auth import AuthSettings
from harness.schemas import Schema

ISSUER = "urn:tests"
PRODUCTS = "/api/v1/products"


@pytest.fixture
async def alice(catalog_schema: Schema, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A member of staff, before a catalog that asks for tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = orjson.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": "one"}
    (tmp_path / "keys.json").write_bytes(orjson.dumps({"keys": [public]}))
    claims = {"iss": ISSUER, "aud": "order-system", "sub": "alice", "role": "staff", "exp": time.time() + 600}
    token = jwt.encode(claims, key, "ES256", {"kid": "one"})
    auth = AuthSettings(issuer=ISSUER, jwks=str(tmp_path / "keys.json"))
    app = api.build(Settings(database_url=catalog_schema.url, ordering_tokens=("a-token",), connections=2, auth=auth))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://catalog",
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):
        yield client


async def test_every_change_of_a_stock_by_hand_names_who_made_it(alice: httpx.AsyncClient) -> None:
    created = await alice.post(PRODUCTS, json=LAPTOP)
    product = f"{PRODUCTS}/{created.json()['id']}"
    await alice.put(product, json=LAPTOP | {"stock": 7})
    adjusted = await alice.post(f"{product}/stock-adjustments", json={"delta": 1, "reason": "found"})

    moved: list[dict[str, Any]] = (await alice.get(f"{product}/stock-movements")).json()

    assert [(movement["kind"], movement["actor"]) for movement in moved] == [
        ("adjustment", "alice"),
        ("adjustment", "alice"),
        ("initial", "alice"),
    ]
    assert adjusted.json() == moved[0]


async def test_what_came_of_an_order_was_nobody(alice: httpx.AsyncClient, database: Database) -> None:
    product_id = a_product(database)
    reserve(database, an_order(1, (product_id, 1)))
    release(database, 1)

    moved = (await alice.get(f"{PRODUCTS}/{product_id}/stock-movements")).json()

    assert [movement["kind"] for movement in moved] == ["release", "reservation", "initial"]
    assert not any("actor" in movement for movement in moved)


def test_where_nobody_says_who_he_is_movements_look_as_they_did(client: httpx.Client, database: Database) -> None:
    product_id = create(client)

    [moved] = client.get(f"/products/{product_id}/stock-movements").json()

    members = ["id", "product_id", "kind", "delta", "stock", "order_id", "reason", "created_at"]
    assert list(moved) == members
    assert rows(database, "SELECT actor FROM stock_movements") == [(None,)]


def test_what_is_asked_for_an_order_is_kept_with_its_request(ordering: httpx.Client, database: Database) -> None:
    product_id = a_product(database)
    line = {"product_id": product_id, "quantity": 1}

    first = ordering.post(
        "/reservations", json={"reservations": [{"order_id": 1, "lines": [line], "request_id": "r-1"}]}
    )
    again = ordering.post(
        "/reservations", json={"reservations": [{"order_id": 1, "lines": [line], "request_id": "r-2"}]}
    )

    assert first.json()["outcomes"][0]["result"] == "held"
    assert again.json() == first.json()
    [(request,)] = rows(database, "SELECT request FROM reservations")
    assert orjson.loads(request)["request_id"] == "r-1"
