"""A system that asks for tokens, from the gateway to the last service: who may do what, and that the tools work with it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from chassis.web.access import Role
from flow.buyers import ORDERS, one_of
from harness.size import STEP_SECONDS
from harness.system import System, running, wait_until
from local import credentials
from local.demo.scenes import scenes
from local.demo.shop import Shop
from local.demo.verdicts import judge
from local.development_issuer import DevelopmentIssuer
from local.errors import LocalError
from local.topology import ROOT

PRODUCTS = "/api/v1/products"
LAPTOP = {"name": "Laptop", "price": 10, "stock": 5}
As = Callable[[Role | None, str], httpx.Client]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("secured"), replicas=1, secured=True) as system:
        yield system


@pytest.fixture(scope="module")
def as_(secured: System) -> Iterator[As]:
    """Clients by their role and name; without a role they show no token."""
    with ExitStack() as life:

        def client(role: Role | None, name: str) -> httpx.Client:
            assert secured.issuer is not None
            headers = {"Authorization": f"Bearer {secured.issuer.token(role, name)}"} if role else {}
            return life.enter_context(httpx.Client(base_url=secured.url, headers=headers, timeout=30))

        yield client


@pytest.fixture(scope="module")
def alice(as_: As) -> httpx.Client:
    return as_(Role.CUSTOMER, "alice")


@pytest.fixture(scope="module")
def bob(as_: As) -> httpx.Client:
    return as_(Role.CUSTOMER, "bob")


@pytest.fixture(scope="module")
def staff(as_: As) -> httpx.Client:
    return as_(Role.STAFF, "sam")


@pytest.fixture(scope="module")
def nobody(as_: As) -> httpx.Client:
    return as_(None, "")


def placed(client: httpx.Client, product_id: int, key: str = "") -> int:
    answer = client.post(ORDERS, json=one_of(product_id), headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def ids(client: httpx.Client) -> set[int]:
    return {order["id"] for order in client.get(ORDERS, params={"limit": 1000}).json()}


def statuses(client: httpx.Client, order_id: int) -> list[int]:
    order = f"{ORDERS}/{order_id}"
    return [
        client.get(order).status_code,
        client.get(f"{order}/timeline").status_code,
        client.post(f"{order}/cancel").status_code,
    ]


def test_an_order_is_there_for_its_customer_and_for_staff_and_for_no_other_customer(
    secured: System, alice: httpx.Client, bob: httpx.Client, staff: httpx.Client
) -> None:
    order_id = placed(alice, secured.product(stock=5))
    wait_until(lambda: alice.get(f"{ORDERS}/{order_id}").json()["state"] == "fulfilled", what="it to be fulfilled")

    assert [order_id in ids(client) for client in (alice, bob, staff)] == [True, False, True]
    assert statuses(bob, order_id) == statuses(bob, 10**9) == [404, 404, 404]
    assert statuses(alice, order_id) == statuses(staff, order_id) == [200, 200, 409]
    assert staff.get(f"/api/v1/fulfilments/{order_id}").json()["state"] == "fulfilled"


def test_two_customers_with_one_key_have_an_order_each(secured: System, alice: httpx.Client, bob: httpx.Client) -> None:
    product_id = secured.product(stock=5)

    orders = [placed(client, product_id, "the same key") for client in (alice, bob, alice)]

    assert orders[0] == orders[2] != orders[1]
    assert secured.stock(product_id) == 3


def test_staff_manage_products_which_anybody_may_read(
    alice: httpx.Client, staff: httpx.Client, nobody: httpx.Client
) -> None:
    product_id = staff.post(PRODUCTS, json=LAPTOP).json()["id"]
    product, adjustment = f"{PRODUCTS}/{product_id}", {"delta": 1, "reason": "found"}

    assert alice.put(product, json=LAPTOP).status_code == 403
    assert alice.post(f"{product}/stock-adjustments", json=adjustment).status_code == 403
    assert staff.post(f"{product}/stock-adjustments", json=adjustment).status_code == 201
    assert nobody.get(product).json()["stock"] == 6
    assert alice.delete(product).status_code == 403
    assert staff.delete(product).status_code == 200


def test_a_redrive_is_for_staff(secured: System, alice: httpx.Client, staff: httpx.Client) -> None:
    order_id = placed(alice, secured.product(stock=5))
    secured.mysql.execute(f"UPDATE ordering.orders SET state = 'failed', revision = 9 WHERE id = {order_id}")

    assert alice.post(f"{ORDERS}/{order_id}/redrive").status_code == 403
    assert staff.post(f"{ORDERS}/{order_id}/redrive").json()["state"] == "placed"


@pytest.mark.parametrize(
    ("authorization", "challenge"), [(None, "Bearer"), ("Bearer a.b.c", 'Bearer error="invalid_token"')]
)
def test_without_a_token_that_counts_it_is_a_401_that_says_how_to_ask_and_nothing_is_done(
    secured: System, nobody: httpx.Client, authorization: str | None, challenge: str
) -> None:
    product_id = secured.product(stock=5)
    headers = {"Authorization": authorization} if authorization else {}

    for method, path, body in (("POST", ORDERS, one_of(product_id)), ("POST", PRODUCTS, LAPTOP), ("GET", ORDERS, None)):
        refused = nobody.request(method, path, json=body, headers=headers)

        assert refused.status_code == 401, path
        assert refused.headers["WWW-Authenticate"] == challenge
        assert refused.headers["Content-Type"] == "application/problem+json"
    assert secured.stock(product_id) == 5


async def test_the_demo_holds_here_too(secured: System) -> None:
    assert secured.issuer is not None
    auth = credentials.asked_for(secured.url, secured.issuer)

    async with Shop(secured.url, Console(quiet=True), in_time=False, auth=auth) as shop:
        verdicts = [await judge(scene, shop) for scene in scenes(STEP_SECONDS, burst_size=50)]

    assert [verdict for verdict in verdicts if not verdict.holds] == []


def test_the_demo_says_so_where_no_development_tokens_count(secured: System, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="accepts no development tokens"):
        credentials.asked_for(secured.url, DevelopmentIssuer(tmp_path))


def test_an_operator_sees_what_staff_may_see_and_the_private_routes(secured: System, alice: httpx.Client) -> None:
    order_id = placed(alice, secured.product(stock=5))

    assert ops(secured, "timeline", str(order_id))[0]["step"] == "accepted"
    assert ops(secured, "dead-letters", "list") == []


def ops(system: System, *arguments: str) -> Any:
    """What `./justw ops` answers, as JSON."""
    assert system.issuer is not None
    ports = {name: str(port) for name, port in system.layout.topology.ports.items()}
    own = {"LOCAL_DIR": str(system.issuer.directory.parent), "RUNTIME": "local", **ports}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("libs", "services", "infra"))
    done = subprocess.run(
        [sys.executable, "-m", "local.ops", *arguments, "--json"],
        env={**os.environ, **own, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
