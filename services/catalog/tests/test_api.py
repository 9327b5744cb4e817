"""The public API over a real socket and a real database."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest

from catalog.tests.calls import LAPTOP, create, deltas, require_problem
from catalog.tests.factories import at_once, require_explained_stock
from chassis.database.transactions import Database


def test_a_product_is_created_at_its_location(client: httpx.Client) -> None:
    created = client.post("/products", json=LAPTOP)

    assert created.status_code == 201
    assert created.json() == {"id": 1} | LAPTOP
    assert created.text == '{"id":1,"name":"Laptop","price":999.99,"stock":5}'
    assert created.headers["location"] == "/api/v1/products/1"


def test_a_created_product_can_be_read_with_the_same_etag(client: httpx.Client) -> None:
    created = client.post("/products", json=LAPTOP)

    read = client.get("/products/1")

    assert read.status_code == 200
    assert read.json() == created.json()
    assert re.fullmatch('"[0-9]+"', read.headers["etag"])
    assert read.headers["etag"] == created.headers["etag"]


@pytest.mark.parametrize("price", [0, 0.01, 0.1, 1, 10, 1299.9, 9999999.99])
def test_a_price_comes_back_as_the_number_that_was_sent(client: httpx.Client, price: float) -> None:
    product_id = create(client, price=price)

    assert client.get(f"/products/{product_id}").json()["price"] == price


@pytest.mark.parametrize(
    "name", ["Käse 🧀 𐍈", "<script>alert(1)</script>", "' OR 1=1--", "%s {} \\", "x" * 255, "🧀" * 255]
)
def test_a_name_is_kept_to_the_letter(client: httpx.Client, name: str) -> None:
    product_id = create(client, name=name)

    assert client.get(f"/products/{product_id}").json()["name"] == name


def test_products_are_listed_page_by_page(client: httpx.Client) -> None:
    ids = [create(client, name=f"Product {n}") for n in range(5)]

    pages, url = [], "/api/v1/products?limit=2"
    while url:
        page = client.get(httpx.URL(str(client.base_url)).join(url))
        pages.append([product["id"] for product in page.json()])
        url = page.links.get("next", {}).get("url", "")

    assert pages == [ids[:2], ids[2:4], ids[4:]]


def test_a_full_last_page_leads_to_an_empty_one(client: httpx.Client) -> None:
    last = create(client)

    after = client.get("/products", params={"after": last})

    assert after.json() == []
    assert "next" not in after.links


def test_a_product_is_replaced_and_the_difference_is_a_movement(client: httpx.Client) -> None:
    product_id = create(client)
    before = client.get(f"/products/{product_id}")

    replaced = client.put(f"/products/{product_id}", json={"name": "Laptop Pro", "price": 1299.99, "stock": 3})

    assert replaced.status_code == 200
    assert replaced.json() == {"id": product_id, "name": "Laptop Pro", "price": 1299.99, "stock": 3}
    assert replaced.headers["etag"] == client.get(f"/products/{product_id}").headers["etag"] != before.headers["etag"]
    assert deltas(client, product_id) == [-2, 5]


def test_a_replacement_with_the_same_stock_moves_none(client: httpx.Client) -> None:
    product_id = create(client)

    client.put(f"/products/{product_id}", json=LAPTOP | {"price": 1})

    assert deltas(client, product_id) == [5]


def test_a_replacement_of_what_has_changed_meanwhile_is_refused(client: httpx.Client) -> None:
    product_id = create(client)
    seen = client.get(f"/products/{product_id}").headers["etag"]
    client.post(f"/products/{product_id}/stock-adjustments", json={"delta": -1, "reason": "broken"})

    refused = client.put(f"/products/{product_id}", json=LAPTOP, headers={"If-Match": seen})

    require_problem(refused, 412, "The product has changed since you read it")
    assert client.get(f"/products/{product_id}").json()["stock"] == 4


def test_a_replacement_of_what_was_seen_goes_through(client: httpx.Client) -> None:
    product_id = create(client)
    seen = client.get(f"/products/{product_id}").headers["etag"]

    replaced = client.put(f"/products/{product_id}", json=LAPTOP | {"stock": 9}, headers={"If-Match": seen})
    again = client.put(f"/products/{product_id}", json=LAPTOP | {"stock": 8}, headers={"If-Match": seen})

    assert (replaced.status_code, again.status_code) == (200, 412)


@pytest.mark.parametrize("etag", ['W/"2"', "2", '"x"', '""', '"' + "9" * 30 + '"', "2, 2"])
def test_an_etag_that_is_not_ours_matches_nothing(client: httpx.Client, etag: str) -> None:
    product_id = create(client)

    refused = client.put(f"/products/{product_id}", json=LAPTOP, headers={"If-Match": etag})

    assert refused.status_code == 412


def test_any_version_may_be_asked_for(client: httpx.Client) -> None:
    product_id = create(client)

    assert client.put(f"/products/{product_id}", json=LAPTOP, headers={"If-Match": "*"}).status_code == 200


def test_a_deleted_product_is_gone_but_its_history_stays(client: httpx.Client) -> None:
    product_id = create(client)

    deleted = client.delete(f"/products/{product_id}")

    assert (deleted.status_code, deleted.json()) == (200, {"message": "Product deleted"})
    assert client.get("/products").json() == []
    assert deltas(client, product_id) == [5]
    for gone in (
        client.get(f"/products/{product_id}"),
        client.put(f"/products/{product_id}", json=LAPTOP),
        client.delete(f"/products/{product_id}"),
        client.post(f"/products/{product_id}/stock-adjustments", json={"delta": 1, "reason": "found"}),
    ):
        require_problem(gone, 404, "Product not found")


@pytest.mark.parametrize("path", ["/products/99", "/products/99/stock-movements", f"/products/{2**63 - 1}"])
def test_what_never_was_is_not_found(client: httpx.Client, path: str) -> None:
    require_problem(client.get(path), 404, "Product not found")


def test_an_adjustment_answers_the_movement_it_made(client: httpx.Client) -> None:
    product_id = create(client)

    adjusted = client.post(f"/products/{product_id}/stock-adjustments", json={"delta": 7, "reason": "delivery"})

    assert adjusted.status_code == 201
    movement = adjusted.json()
    created_at = movement.pop("created_at")
    assert movement == {
        "id": 2,
        "product_id": product_id,
        "kind": "adjustment",
        "delta": 7,
        "stock": 12,
        "order_id": None,
        "reason": "delivery",
    }
    assert created_at.endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(created_at)) < timedelta(minutes=1)
    assert client.get(f"/products/{product_id}/stock-movements").json()[0] == adjusted.json()


def test_no_more_is_taken_off_than_there_is(client: httpx.Client) -> None:
    product_id = create(client, stock=5)

    refused = client.post(f"/products/{product_id}/stock-adjustments", json={"delta": -6, "reason": "theft"})

    require_problem(refused, 400, "Insufficient stock")
    assert refused.json()["shortages"] == [{"product_id": product_id, "requested": 6, "available": 5}]
    assert deltas(client, product_id) == [5]


def test_a_stock_stays_within_its_limit(client: httpx.Client) -> None:
    product_id = create(client, stock=1_000_000_000)

    refused = client.post(f"/products/{product_id}/stock-adjustments", json={"delta": 1, "reason": "delivery"})

    require_problem(refused, 409, "A stock can't be above 1000000000")


def test_movements_are_listed_page_by_page_newest_first(client: httpx.Client) -> None:
    product_id = create(client, stock=1)
    create(client)
    for delta in (2, 3, 4):
        client.post(f"/products/{product_id}/stock-adjustments", json={"delta": delta, "reason": "delivery"})

    first = client.get(f"/products/{product_id}/stock-movements", params={"limit": 3})
    second = client.get(httpx.URL(str(client.base_url)).join(first.links["next"]["url"]))

    assert [(movement["delta"], movement["stock"]) for movement in first.json() + second.json()] == [
        (4, 10),
        (3, 6),
        (2, 3),
        (1, 1),
    ]


def test_adjustments_at_once_all_count(client: httpx.Client, database: Database) -> None:
    product_id = create(client, stock=0)
    adjust = partial(client.post, f"/products/{product_id}/stock-adjustments", json={"delta": 1, "reason": "delivery"})

    answers = at_once([adjust] * 20)

    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["stock"] for answer in answers) == list(range(1, 21))
    require_explained_stock(database)


def test_reads_at_once_each_get_their_own_answer(client: httpx.Client) -> None:
    ids = [create(client, name=f"Product {n}") for n in range(10)]

    answers = at_once([partial(client.get, f"/products/{id_}") for id_ in [*ids, 99, *ids]])

    assert [answer.json().get("id") for answer in answers] == [*ids, None, *ids]
    assert answers[10].status_code == 404


def test_the_probes_answer(client: httpx.Client) -> None:
    root = httpx.URL(str(client.base_url)).join("/")

    assert client.get(root.join("/livez")).json() == {"status": "alive"}
    assert client.get(root.join("/readyz")).json() == {"status": "ready"}
    assert "http_request_seconds" in client.get(root.join("/metrics")).text
