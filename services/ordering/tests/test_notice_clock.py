"""A database clock that is set back makes nothing late: all that waits is looked after at once."""

import time

import pytest
from redis.asyncio import Redis

from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY
from ordering.announce_again import announce
from ordering.model import State
from ordering.notice_clock import ClockWatch
from ordering.notice_loss import notice_loss
from ordering.tests.factories import an_order, rows


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which this process's monotonic clock is ahead: the database's falls behind it, as if it were set back."""
    seconds = [0.0]
    monkeypatch.setattr("ordering.notice_clock.monotonic", lambda: time.monotonic() + seconds[0])
    return seconds


def put_off(database: Database) -> None:
    rows(database, "UPDATE outbox SET due_at = NOW(6) + INTERVAL 76 SECOND, sent = 1")


def is_sent_next(database: Database) -> bool:
    """As if it had never been sent."""
    return rows(database, "SELECT sent FROM outbox") == [(0,)]


@pytest.mark.parametrize(("back", "is_due"), [(61.0, True), (1.0, False), (-3600.0, False)])
async def test_a_clock_set_back_makes_all_that_waits_due(
    database: Database, redis_client: Redis, passed: list[float], back: float, is_due: bool
) -> None:
    database.transact(announce, an_order(database, State.PLACED).id, EVERYBODY)
    await notice_loss(database, redis_client)
    put_off(database)
    watch = ClockWatch(database)
    await watch.look()
    passed[0] = back

    await watch.look()
    await notice_loss(database, redis_client)

    assert is_sent_next(database) is is_due


async def test_a_clock_set_back_is_noticed_once(database: Database, redis_client: Redis, passed: list[float]) -> None:
    database.transact(announce, an_order(database, State.PLACED).id, EVERYBODY)
    watch = ClockWatch(database)
    await watch.look()
    passed[0] = 61.0
    await watch.look()
    await notice_loss(database, redis_client)
    put_off(database)

    await watch.look()
    await notice_loss(database, redis_client)

    assert not is_sent_next(database)
