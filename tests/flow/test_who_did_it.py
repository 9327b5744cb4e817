"""One request id through everything that an order passes, and what no log may tell."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from harness.system import System, wait_until
from local.topology import ROOT

ORDERS = "/api/v1/orders"


@pytest.fixture
def redis(system: System) -> Iterator[Redis]:
    with Redis(port=system.redis.port, decode_responses=True) as client:
        yield client


def event_with(redis: Redis, stream: str, after: str, what: str) -> dict[str, Any]:
    """The one on the stream that says `what`, as soon as it comes."""
    while True:
        news: Any = redis.xread({stream: after}, block=5000)
        for _, entries in news or []:
            for entry_id, fields in entries:
                after = entry_id
                for event in json.loads(fields["__data__"])["events"]:
                    if what in json.dumps(event):
                        return dict(event)


def lines(system: System, process: str, request_id: str) -> list[dict[str, Any]]:
    said = [json.loads(line) for line in system.logs(process).split("\n") if request_id in line]
    return [line for line in said if line.get("request_id") == request_id]


def last_id(redis: Redis, stream: str) -> str:
    return str(redis.xinfo_stream(stream)["last-generated-id"])


def test_an_order_carries_the_id_of_its_request_everywhere(system: System, redis: Redis) -> None:
    product_id, request_id = system.product(stock=1), f"test.{uuid4()}"
    with ThreadPoolExecutor() as threads:
        events = [
            threads.submit(event_with, redis, stream, last_id(redis, stream), request_id)
            for stream in ("ordering", "fulfilment")
        ]
        placed = system.client.post(
            ORDERS, json={"product_id": product_id, "quantity": 1}, headers={"X-Request-Id": request_id}
        )
        order_id = placed.json()["id"]
        told = [event.result(60) for event in events]

    wait_until(lambda: system.order_state(order_id) == "fulfilled")
    assert placed.headers["X-Request-Id"] == request_id
    assert [(event["type"], event["order_id"], event["request_id"]) for event in told] == [
        ("OrderPlaced", order_id, request_id),
        ("OrderFulfilled", order_id, request_id),
    ]
    for table, key in (("ordering.orders", "id"), ("fulfilment.fulfilments", "order_id")):
        assert system.mysql.execute(f"SELECT request_id FROM {table} WHERE {key} = {order_id}") == [(request_id,)]
    [(asked,)] = system.mysql.execute(f"SELECT request FROM catalog.reservations WHERE order_id = {order_id}")
    assert json.loads(str(asked))["request_id"] == request_id
    said = [lines(system, process, request_id) for process in ("catalog-api", "ordering-api", "fulfilment-worker")]
    assert [(line["message"], line["order_id"]) for found in said for line in found] == [
        (f"Order #{order_id} is decided on", order_id),
        (f"Order #{order_id} is placed", order_id),
        (f"Order #{order_id} Processed", order_id),
    ]


def test_what_an_operator_does_by_hand_has_his_name(system: System) -> None:
    address = f"http://{system.layout.topology.address('ordering')}"
    token = system.mysql.secrets.value("OPS_TOKEN")
    environment = {"OPS_ORDERING_URL": address, "OPS_TOKEN": token, "OPS_PERSON": "Alice the 1st"}
    ops = [sys.executable, "-m", "ops", "dead-letters", "discard", "ordering", "4711"]

    subprocess.run(
        ops, env=os.environ | {"PYTHONPATH": f"{ROOT / 'infra'}:{ROOT / 'libs'}"} | environment, check=True, timeout=60
    )

    assert "DELETE /private/dead-letters/4711 by operator Alice_the_1st" in system.logs("ordering-api")


def test_no_log_tells_secrets_or_what_was_sent(system: System) -> None:
    mark = uuid4().hex
    product_id = system.product(stock=5, name=f"body {mark}")
    headers = {"Authorization": f"Bearer {mark}", "Idempotency-Key": f"key {mark}"}
    with httpx.Client(base_url=f"http://{system.layout.topology.address('ordering')}", timeout=20) as straight:
        for client in (system.client, straight):
            client.post(ORDERS, json={"product_id": product_id, "quantity": 1, "note": mark}, headers=headers)
            client.post(
                ORDERS, content=f'{{"product_id": "{mark}', headers=headers | {"Content-Type": "application/json"}
            )
            client.post("/private/orders/1/redrive", json={"why": mark}, headers=headers)
    order_id = system.order(product_id)
    wait_until(lambda: system.order_state(order_id) == "fulfilled")

    logged = system.logs()

    assert f"Order #{order_id} Processed" in logged
    secrets = [file.read_text().strip() for file in system.mysql.secrets.directory.glob("*/*") if file.name.isupper()]
    assert len(secrets) > 5
    assert [told for told in (mark, *secrets) if told in logged] == []


def test_every_line_of_every_process_is_an_object(system: System) -> None:
    logged = [json.loads(line) for line in system.logs().splitlines()]

    assert {line["process"] for line in logged} == {
        f"{service}.{role}" for service, role in (name.split("-")[:2] for name in system.processes)
    }
    assert all({"time", "level", "pid", "logger", "message"} <= line.keys() for line in logged)
