"""Orders go through all three services. The demo, which `test_demo.py` plays, follows a single one."""

import json
from collections import Counter

import pytest

from harness.size import STEP_SECONDS
from harness.system import System
from local.demo import products
from local.demo.burst import burst
from local.demo.shop import Shop


async def test_a_burst_is_fulfilled_to_the_last_order_and_each_is_processed_once(system: System, shop: Shop) -> None:
    await burst(shop, STEP_SECONDS, size=100)

    log = system.logs("fulfilment-worker")
    processed = Counter(json.loads(line)["message"] for line in log.splitlines())
    assert [processed[f"Order #{order_id} Processed"] for order_id in shop.acknowledged] == [1] * 100
    await products.explained(shop)


@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/orders/", "/api/v1/products", "/api/v1/products/"])
def test_lists_answer_with_and_without_a_trailing_slash(system: System, path: str) -> None:
    answer = system.client.get(path)

    assert answer.status_code == 200
    assert isinstance(answer.json(), list)
