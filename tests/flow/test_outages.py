"""Redis emptied, or fulfilment away for long, while orders come in: all are fulfilled after, and said once."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from chassis.messaging.outbox import AGAIN_AFTER_SECONDS
from contracts.batches import names
from contracts.streams import ORDERING, PAYLOAD_FIELD
from flow.buyers import nothing_under_way, ordering_meanwhile, orders_of
from harness.size import STEP_SECONDS, at_size
from harness.system import System, running, wait_until

FULFILLED_WITHIN = 60.0
WAITING_ORDERS = at_size(2_000, 2_000_000)
ANNOUNCED_WITHIN = at_size(60.0, 3600.0)
LONGEST_PAUSE = 5.0  # one second on a machine that does nothing else
AWAY_SECONDS = at_size(20.0, 300.0)  # longer than it takes until an order is announced again


def announcements(redis: Redis) -> int:
    """How many entries the stream was ever given, trimmed ones included."""
    return int(redis.xinfo_stream(ORDERING.name)["entries-added"]) if redis.exists(ORDERING.name) else 0


def test_an_emptied_redis_loses_no_order(system: System) -> None:
    product_id = system.product(stock=1_000_000)

    with ordering_meanwhile(system, product_id) as seen, Redis.from_url(system.redis.url) as redis:
        time.sleep(STEP_SECONDS + 1)  # some are on the stream, some in work, some answered
        redis.flushall()
        emptied_at = time.monotonic()
        time.sleep(STEP_SECONDS + 1)

    wait_until(lambda: nothing_under_way(system), FULFILLED_WITHIN, "every order to be fulfilled")
    assert time.monotonic() - emptied_at < FULFILLED_WITHIN
    states = orders_of(system, product_id)
    assert {states[order_id] for order_id in seen.acknowledged} == {"fulfilled"}


def orders_on_the_stream(redis: Redis) -> list[int]:
    entries: Any = redis.xrange(ORDERING.name)
    return [order_id for _, fields in entries for order_id, _ in names(fields[PAYLOAD_FIELD])]


def test_after_an_outage_of_fulfilment_all_are_fulfilled_and_few_were_announced_twice(system: System) -> None:
    """None is while it is away. Few are after: those that are due again just when they are read."""
    product_id = system.product(stock=1_000_000)
    workers = [process for name, process in system.processes.items() if name.startswith("fulfilment-worker")]

    with Redis.from_url(system.redis.url) as redis:
        for worker in workers:
            worker.stop()
        before = announcements(redis)
        with ordering_meanwhile(system, product_id, pause=0.01) as seen:
            time.sleep(AWAY_SECONDS)
        waiting = orders_on_the_stream(redis)
        batches = announcements(redis) - before
        for worker in workers:
            worker.start()
        wait_until(lambda: nothing_under_way(system), FULFILLED_WITHIN, "every order to be fulfilled")

        states = orders_of(system, product_id)
        assert {states[order_id] for order_id in seen.acknowledged} == {"fulfilled"}
        assert len(waiting) == len(set(waiting))
        repeated = announcements(redis) - before - batches
        assert repeated <= batches * AGAIN_AFTER_SECONDS / AWAY_SECONDS + JUST_PLACED


PLANTED = "planted"
JUST_PLACED = 10  # batches that were not yet on the stream when it was looked at
PLANT = f"""
    INSERT INTO ordering.orders (request_key, fingerprint, state, items, unit_prices, total, reserved_at, decided_at)
    SELECT CONCAT('{PLANTED} ', seeds.n + {{first}}), fingerprint, 'placed', items, unit_prices, total, reserved_at, decided_at
    FROM ordering.orders
    JOIN JSON_TABLE(CONCAT('[0', REPEAT(',0', {{count}} - 1), ']'), '$[*]' COLUMNS (n FOR ORDINALITY)) AS seeds
    WHERE orders.id = {{template}}
"""
PLANT_BATCHES = f"""
    SET SESSION group_concat_max_len = 10000000;
    INSERT INTO ordering.outbox (payload, sent, due_at)
    SELECT CONCAT('{{"version":1,"events":[', GROUP_CONCAT(CONCAT('{{"version":1,"type":"OrderPlaced","revision":1,"order_id":',
           id, ',"total":"', total, '","items":', JSON_SET(items, '$[0].unit_price', unit_prices), '}}')), ']}}'),
           3, NOW(6) + INTERVAL 200 SECOND
    FROM ordering.orders WHERE request_key LIKE '{PLANTED} %' GROUP BY id DIV 30
"""
UNSENT = "SELECT COUNT(*) FROM ordering.outbox WHERE sent <> 1"
AT_ONCE = 50_000


def plant(system: System, template: int) -> None:
    """As many orders as that one that wait for fulfilment's answer, announced to a Redis that has forgotten it."""
    for first in range(0, WAITING_ORDERS, AT_ONCE):
        count = min(AT_ONCE, WAITING_ORDERS - first)
        system.mysql.execute(PLANT.format(first=first, count=count, template=template))
    for statement in PLANT_BATCHES.split(";"):
        system.mysql.execute(statement)


def all_announced(system: System) -> bool:
    return system.mysql.execute(UNSENT) == [(0,)]


def test_placing_goes_on_while_all_that_waits_is_announced_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, replicas=1) as system, Redis.from_url(system.redis.url) as redis:
        product_id = system.product(stock=1_000_000)
        template = system.order(product_id)
        system.processes["fulfilment-worker-0"].stop()
        plant(system, template)
        redis.flushall()
        emptied_at = time.monotonic()

        with ordering_meanwhile(system, product_id, pause=0.01) as seen:
            wait_until(lambda: all_announced(system), ANNOUNCED_WITHIN, "all to be announced")
        took = time.monotonic() - emptied_at
        announced = set(orders_on_the_stream(redis))

    with capsys.disabled():
        sys.stdout.write(f"\n{WAITING_ORDERS} announced in {took:.0f} s, longest pause {seen.longest_pause():.2f} s\n")
    assert len(announced) >= WAITING_ORDERS
    assert set(seen.answers) == {"201"}
    assert seen.longest_pause() < LONGEST_PAUSE
