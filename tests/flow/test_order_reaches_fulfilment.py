"""One order goes through all three services."""

import pytest

from harness.system import System, wait_until


def test_a_placed_order_is_processed_and_becomes_fulfilled(system: System) -> None:
    product_id = system.product(stock=5, price=999.99)

    answer = system.client.post("/api/v1/orders", json={"product_id": product_id, "quantity": 2})

    order = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/orders/{order['id']}"
    assert {name: order[name] for name in ("product_id", "quantity", "state", "total")} == {
        "product_id": product_id,
        "quantity": 2,
        "state": "placed",
        "total": 1999.98,
    }
    assert system.stock(product_id) == 3
    wait_until(lambda: system.order_state(order["id"]) == "fulfilled", what="the order to be fulfilled")
    assert f" Order #{order['id']} Processed\n" in system.logs("fulfilment-worker")


def test_fulfilment_shows_the_one_try_it_took(system: System) -> None:
    order_id = system.order(system.product(stock=1))

    wait_until(lambda: system.order_state(order_id) == "fulfilled", what="the order to be fulfilled")

    fulfilment = system.client.get(f"/api/v1/fulfilments/{order_id}").json()
    assert (fulfilment["state"], fulfilment["attempt"], fulfilment["failures"]) == ("fulfilled", 1, 0)


def test_an_order_of_a_deleted_product_stays_readable_and_no_new_one_is_taken(system: System) -> None:
    product_id = system.product(stock=5)
    order_id = system.order(product_id)

    deleted = system.client.delete(f"/api/v1/products/{product_id}")

    assert deleted.json() == {"message": "Product deleted"}
    assert system.client.get(f"/api/v1/orders/{order_id}").json()["product_id"] == product_id
    refused = system.client.post("/api/v1/orders", json={"product_id": product_id, "quantity": 1})
    assert (refused.status_code, refused.json()["detail"]) == (404, "Product not found")


def test_a_burst_is_fulfilled_to_the_last_order_and_each_is_processed_once(system: System) -> None:
    product_id = system.product(stock=1000)

    order_ids = [system.order(product_id) for _ in range(100)]

    for order_id in order_ids:
        wait_until(lambda order_id=order_id: system.order_state(order_id) == "fulfilled", what=f"order {order_id}")  # type: ignore[misc]
    log = system.logs("fulfilment-worker")
    assert [log.count(f" Order #{order_id} Processed\n") for order_id in order_ids] == [1] * 100
    assert system.stock(product_id) == 900


def test_the_same_key_gives_the_same_order_through_any_replica(system: System) -> None:
    product_id = system.product(stock=100)
    order = {"product_id": product_id, "quantity": 1}

    answers = [
        system.client.post("/api/v1/orders", json=order, headers={"Idempotency-Key": "one order"}) for _ in range(6)
    ]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert system.stock(product_id) == 99


@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/orders/", "/api/v1/products", "/api/v1/products/"])
def test_lists_answer_with_and_without_a_trailing_slash(system: System, path: str) -> None:
    answer = system.client.get(path)

    assert answer.status_code == 200
    assert isinstance(answer.json(), list)
