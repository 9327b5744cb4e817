"""A repeated request gets the first one's answer, and has no effect of its own."""

from functools import partial

import httpx

from catalog.tests.calls import LAPTOP, create, deltas, require_problem
from catalog.tests.factories import at_once, rows
from chassis.database.transactions import Database


def test_twenty_equal_keys_at_once_make_one_product_and_equal_answers(client: httpx.Client, database: Database) -> None:
    send = partial(client.post, "/products", json=LAPTOP, headers={"Idempotency-Key": "a key"})

    answers = at_once([send] * 20)

    assert len({(answer.status_code, answer.text, answer.headers["etag"]) for answer in answers}) == 1
    assert answers[0].status_code == 201
    assert rows(database, "SELECT COUNT(*) FROM products") == [(1,)]


def test_a_repeated_restock_counts_once_and_answers_alike(client: httpx.Client) -> None:
    product_id = create(client)
    adjustment = {"delta": 7, "reason": "delivery"}
    send = partial(client.post, f"/products/{product_id}/stock-adjustments", headers={"Idempotency-Key": "k"})

    first = send(json=adjustment)
    again = send(json=adjustment)

    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert deltas(client, product_id) == [7, 5]


def test_a_repeated_delete_and_replacement_answer_as_the_first_did(client: httpx.Client) -> None:
    product_id = create(client)
    replace = partial(
        client.put, f"/products/{product_id}", json=LAPTOP | {"stock": 1}, headers={"Idempotency-Key": "r"}
    )
    delete = partial(client.delete, f"/products/{product_id}", headers={"Idempotency-Key": "d"})

    replaced, deleted = replace(), delete()
    replaced_again, deleted_again = replace(), delete()

    assert (replaced_again.text, replaced_again.headers["etag"]) == (replaced.text, replaced.headers["etag"])
    assert (deleted_again.status_code, deleted_again.text) == (200, deleted.text)


def test_a_key_stands_for_one_request_only(client: httpx.Client) -> None:
    product_id = create(client)
    key = {"Idempotency-Key": "k"}
    client.post("/products", json=LAPTOP, headers=key)

    for other in (
        client.post("/products", json=LAPTOP | {"stock": 6}, headers=key),
        client.put(f"/products/{product_id}", json=LAPTOP, headers=key),
        client.delete(f"/products/{product_id}", headers=key),
    ):
        require_problem(other, 422, "This Idempotency-Key was used with another request")
    assert len(client.get("/products").json()) == 2


def test_a_key_of_one_adjustment_is_not_for_another(client: httpx.Client) -> None:
    product_id, other_id = create(client), create(client)
    adjustment = {"delta": 1, "reason": "delivery"}
    send = partial(client.post, headers={"Idempotency-Key": "k"})
    send(f"/products/{product_id}/stock-adjustments", json=adjustment)

    answers = [
        send(f"/products/{product_id}/stock-adjustments", json=adjustment | {"delta": 2}),
        send(f"/products/{other_id}/stock-adjustments", json=adjustment),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert (deltas(client, product_id), deltas(client, other_id)) == ([1, 5], [5])


def test_keys_that_differ_in_case_are_two(client: httpx.Client) -> None:
    for key in ("Ab1", "aB1"):
        client.post("/products", json=LAPTOP, headers={"Idempotency-Key": key})

    assert len(client.get("/products").json()) == 2


def test_a_refused_request_does_not_use_up_its_key(client: httpx.Client) -> None:
    product_id = create(client, stock=1)
    take = partial(
        client.post,
        f"/products/{product_id}/stock-adjustments",
        json={"delta": -2, "reason": "sample"},
        headers={"Idempotency-Key": "k"},
    )
    refused = take()
    client.post(f"/products/{product_id}/stock-adjustments", json={"delta": 5, "reason": "delivery"})

    taken = take()

    assert (refused.status_code, taken.status_code) == (400, 201)
