"""What tests are given, and what they look at afterwards."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, func, insert, text

from chassis.database.transactions import Database
from contracts.batches import unseal
from contracts.events import FulfilmentEvent, Item, OrderCancelled, OrderPlaced, fulfilment_events
from fulfilment import fulfilments as stored
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import IN_WORK, State, fulfilments, past_tries, workers

ME, OTHER = "a" * 32, "b" * 32
ITEM = Item(product_id=1, quantity=2, unit_price="10.50")


def order_placed(order_id: int = 1, revision: int = 1) -> OrderPlaced:
    return OrderPlaced(type="OrderPlaced", version=1, order_id=order_id, revision=revision, items=[ITEM], total="21.00")


def order_cancelled(order_id: int = 1, revision: int = 2, *, forced: bool = False) -> OrderCancelled:
    return OrderCancelled(type="OrderCancelled", version=1, order_id=order_id, revision=revision, forced=forced)


def a_worker(database: Database, worker_id: str, *, last_beat_seconds_ago: int = 0) -> None:
    ago = text("NOW(6) - INTERVAL :ago SECOND").bindparams(ago=last_beat_seconds_ago)
    row = insert(workers).values(id=worker_id, host="a host", started_at=ago, beat_at=ago)
    database.transact(lambda connection: connection.execute(row).close())


def a_fulfilment(
    database: Database,
    order_id: int = 1,
    state: State = State.PROCESSING,
    *,
    owner: str | None = ME,
    fence: int = 1,
    failures: int = 0,
    revision: int = 1,
    reason: str | None = None,
    request_id: str | None = None,
) -> Fulfilment:
    """As it stands in the table once it has got there."""
    row = insert(fulfilments).values(
        order_id=order_id,
        revision=revision,
        state=state,
        owner=owner,
        fence=fence,
        failures=failures,
        items=[ITEM],
        reason=reason,
        request_id=request_id,
        taken_at=func.now(6),
        started_at=func.now(6),
        decided_at=None if state in IN_WORK else func.now(6),
    )
    database.transact(lambda connection: connection.execute(row).close())
    return the_fulfilment(database, order_id)


def a_past_try(database: Database, order_id: int = 1, fence: int = 1, result: str = "failed") -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    row = insert(past_tries).values(
        order_id=order_id, fence=fence, worker=OTHER, started_at=at, ended_at=at, result=result, reason="a reason"
    )
    database.transact(lambda connection: connection.execute(row).close())


def the_fulfilment(database: Database, order_id: int = 1) -> Fulfilment:
    return database.transact(stored.read, [order_id])[order_id]


def states(database: Database) -> dict[int, str]:
    return dict(rows(database, "SELECT order_id, state FROM fulfilments"))


def told(database: Database) -> list[tuple[str, int, int]]:
    """What the outbox holds, as (type, order id, revision)."""
    return [(event["type"], event["order_id"], event["revision"]) for event in outbox_events(database)]


def outbox_events(database: Database) -> list[FulfilmentEvent]:
    batches = rows(database, "SELECT payload FROM outbox ORDER BY id")
    return [fulfilment_events.event(orjson.dumps(event)) for (payload,) in batches for event in unseal(payload)]


def tries(database: Database, order_id: int = 1) -> list[tuple[int, str, str]]:
    """Those that ended without fulfilling it, as (number, worker, result)."""
    sql = "SELECT fence, worker, result FROM past_tries WHERE order_id = :id ORDER BY fence"
    return [(fence, worker, result) for fence, worker, result in rows(database, sql, id=order_id)]


def rows(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """Those of a query; none of a statement."""

    def run(connection: Connection) -> list[tuple[Any, ...]]:
        result = connection.execute(text(sql), values)
        return [tuple(row) for row in result] if result.returns_rows else []

    return database.transact(run)
