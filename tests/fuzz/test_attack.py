"""Whatever is sent to whatever route: no answer of 5xx, none that the document doesn't tell of, no row of a refused request.

Whatever stands on a stream: the good is handled, the bad is a dead letter, and nobody waits for it.
"""

from collections.abc import Callable, Iterator
from itertools import count, cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from contracts.streams import FULFILMENT, ORDERING
from fulfilment.tests.factories import order_placed
from fuzz.poison import Entry, entries
from fuzz.run import Target, target
from fuzz.streams import Reader
from fuzz.tally import Tally

SEED = 4711
CASES_PER_ROUTE = 5
ENTRIES = 300
MADE_UP = 8_000_000_000_000  # above, ids of orders that ordering hasn't made


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("fuzz")) as attacked:
        yield attacked


def test_generated_requests_find_nothing_and_leave_out_no_route(attacked: Target) -> None:
    tally = Tally()

    for attack in attacked.attacks(tally, seed=SEED, cases_per_route=CASES_PER_ROUTE):
        attack.run()
    attacked.require_alive(tally)

    assert not tally.failed, "\n".join(tally.lines())


def _sent_with_poison(reader: Reader, good: Callable[[], dict[str, Any]]) -> None:
    @settings(
        max_examples=ENTRIES, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(entries(good))
    def send(entry: Entry) -> None:
        reader.send([entry])

    send()
    reader.wait_until_all_is_read()


def test_poison_for_fulfilment_is_buried_exactly_and_what_stands_among_it_is_taken_over(attacked: Target) -> None:
    numbers = count(MADE_UP)

    def placed() -> dict[str, Any]:
        return {**order_placed(next(numbers))}

    with attacked.redis() as redis:
        reader = Reader("fulfilment", ORDERING, redis, attacked.system.mysql)
        _sent_with_poison(reader, placed)

    taken = attacked.system.mysql.execute("SELECT order_id FROM fulfilment.fulfilments")
    assert reader.wrongly_buried() == set()
    assert reader.good - {order_id for (order_id,) in taken} == set()
    assert reader.good


def test_poison_for_ordering_is_buried_exactly_and_what_stands_among_it_moves_its_order(attacked: Target) -> None:
    worker = attacked.system.processes["fulfilment-worker-0"]
    worker.stop()  # or it would tell the outcomes first
    orders = cycle(attacked.orders(20))

    def fulfilled() -> dict[str, Any]:
        about = {"type": "OrderFulfilled", "version": 1, "order_id": next(orders), "revision": 1}
        return {**about, "decided_at": "2026-11-22T10:00:00Z", "worker": "a" * 32}

    with attacked.redis() as redis:
        reader = Reader("ordering", FULFILMENT, redis, attacked.system.mysql)
        _sent_with_poison(reader, fulfilled)
    worker.start()

    moved = attacked.system.mysql.execute("SELECT id FROM ordering.orders WHERE state = 'fulfilled'")
    assert reader.wrongly_buried() == set()
    assert reader.good - {order_id for (order_id,) in moved} == set()
    assert reader.good


def test_a_process_that_was_restarted_is_found(attacked: Target) -> None:
    tally, worker = Tally(), attacked.system.processes["ordering-worker-0"]
    seen_just_now = Target(attacked.system, attacked.callers)

    worker.stop()
    worker.start()
    seen_just_now.require_alive(tally)

    assert list(tally.found) == ["ordering-worker-0 ended"]
