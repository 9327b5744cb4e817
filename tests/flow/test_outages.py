"""Redis emptied, or fulfilment away for long, while orders come in: all are fulfilled after, and said once."""

import time

from redis import Redis

from contracts.streams import ORDERING
from flow.buyers import nothing_under_way, ordering_meanwhile, orders_of
from harness.size import STEP_SECONDS, at_size
from harness.system import System, wait_until
from ordering.model import REMIND_AFTER_SECONDS

FULFILLED_WITHIN = 60.0
AWAY_SECONDS = at_size(20.0, 300.0)  # longer than it takes until an order is announced again


def announcements(redis: Redis) -> int:
    """How many entries the stream was ever given, trimmed ones included."""
    return int(redis.xinfo_stream(ORDERING.name)["entries-added"])


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


def test_after_an_outage_of_fulfilment_all_are_fulfilled_and_few_were_announced_twice(system: System) -> None:
    """Few are those of the last seconds of it: they are due for the first time just when they are read."""
    product_id = system.product(stock=1_000_000)
    workers = [process for name, process in system.processes.items() if name.startswith("fulfilment-worker")]

    with Redis.from_url(system.redis.url) as redis:
        before = announcements(redis)
        for worker in workers:
            worker.stop()
        with ordering_meanwhile(system, product_id, pause=0.01) as seen:
            time.sleep(AWAY_SECONDS)
        for worker in workers:
            worker.start()
        wait_until(lambda: nothing_under_way(system), FULFILLED_WITHIN, "every order to be fulfilled")

        states = orders_of(system, product_id)
        assert {states[order_id] for order_id in seen.acknowledged} == {"fulfilled"}
        repeated = announcements(redis) - before - len(states)
        assert repeated <= len(states) * REMIND_AFTER_SECONDS / AWAY_SECONDS
