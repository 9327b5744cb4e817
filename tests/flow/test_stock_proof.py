"""The stock proof of the whole system, asked again and again while orders run."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flow.buyers import ordering_meanwhile
from harness.size import at_size
from harness.system import System

PROOFS = at_size(5, 100)
CHANGE = "UPDATE catalog.products SET stock = stock + {} WHERE id = {}"


@pytest.fixture
def operator(system: System) -> Iterator[httpx.Client]:
    url = f"http://{system.layout.topology.address('ordering')}"
    headers = {"Authorization": f"Bearer {system.mysql.secrets.value('OPS_TOKEN')}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


def differences(operator: httpx.Client) -> list[Any]:
    proof = operator.get("/private/stock-proof")
    assert proof.status_code == 200, proof.text
    return list(proof.json()["differences"])


def test_it_raises_no_false_alarm_under_load_and_finds_a_planted_difference_each_time(
    system: System, operator: httpx.Client
) -> None:
    sold, planted = system.product(stock=1_000_000), system.product(stock=10)

    with ordering_meanwhile(system, sold, pause=0.2):
        for n in range(PROOFS):
            assert differences(operator) == [], f"proof {n} is a false alarm"
            system.mysql.execute(CHANGE.format(1, planted))
            assert [found["about"] for found in differences(operator)] == [f"product {planted}"]
            system.mysql.execute(CHANGE.format(-1, planted))
