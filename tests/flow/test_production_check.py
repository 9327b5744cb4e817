"""The look from outside sees what is open, and what isn't."""

from collections.abc import Iterator

import pytest

from harness.system import System, running, wait_until
from ops.client import Refused
from ops.production_check import check


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("secured"), replicas=1, secured=True) as system:
        yield system


def books(system: System) -> list[tuple[object, ...]]:
    """All that requests can change."""
    changing = {
        "catalog": ("products", "stock_movements", "reservations"),
        "ordering": ("orders", "order_steps"),
        "fulfilment": ("fulfilments",),
    }
    return [
        row
        for schema, tables in changing.items()
        for table in tables
        for row in system.mysql.execute(f"SELECT * FROM {schema}.{table}")
    ]


def complaints(system: System) -> dict[str, list[str]]:
    return {one.sentence: found for one, found in check(system.url) if found}


def test_of_a_secured_system_only_the_missing_certificate_is_to_be_said(secured: System) -> None:
    assert complaints(secured) == {
        "The way to the gateway is encrypted": [f"{secured.url} is not encrypted"],
        "Browsers are told what they must not do, and nobody which versions run": [
            "strict-transport-security is missing"
        ],
    }


def test_of_an_open_system_it_says_that_everybody_may_do_everything(system: System) -> None:
    found = complaints(system)

    assert found["A token that somebody made up doesn't count"] == [
        f"GET /api/v1/orders with {name} token is answered 200, not 401"
        for name in ("an unsigned", "a guessed", "no real")
    ]
    assert (
        "GET /api/v1/orders without a token is answered 200, not 401"
        in found["Nobody orders or manages anything without a token"]
    )


def test_it_changes_nothing_where_everybody_may_do_everything(system: System) -> None:
    product_id = system.product(stock=2)
    order_id = system.order(product_id)
    wait_until(lambda: system.order_state(order_id) == "fulfilled")
    before = books(system)

    complaints(system)

    assert books(system) == before


def test_a_port_that_is_open_is_named(secured: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.production_check.PORTS_OF_OURS", (secured.mysql.port, secured.redis.port))

    assert complaints(secured)["Only the gateway listens"] == [
        f"port {port} is open" for port in (secured.mysql.port, secured.redis.port)
    ]


@pytest.mark.parametrize(("url", "said"), [("shop", "is no address"), ("http://127.0.0.1:9", "does not answer")])
def test_nobody_there_is_a_sentence(url: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        check(url)
