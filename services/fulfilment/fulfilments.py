"""A fulfilment as a value, read from its row, and what all its verbs share."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, select

from chassis.database.rows import insert
from contracts.events import FulfilmentEvent, Item, Outcome, Try
from fulfilment.model import LONGEST_BACKOFF_SECONDS, State, fulfilments, outbox, past_tries


class Fulfilment(NamedTuple):
    """A row as it was read, its times in UTC. What the database wrote needs no validation."""

    order_id: int
    revision: int
    state: State
    owner: str | None
    fence: int
    failures: int
    items: Sequence[Item]
    reason: str | None
    request_id: str | None
    announced_at: datetime | None
    taken_at: datetime | None
    started_at: datetime | None
    decided_at: datetime | None


COLUMNS = [fulfilments.c[name] for name in Fulfilment._fields]


def of_row(row: Row[Any]) -> Fulfilment:
    """`row` has COLUMNS."""
    order_id, revision, state, owner, fence, failures, items, reason, request_id, *times = tuple[Any, ...](row)
    times = [at and at.replace(tzinfo=UTC) for at in times]
    return Fulfilment(order_id, revision, State(state), owner, fence, failures, items, reason, request_id, *times)


def insert_all(connection: Connection, new: Sequence[Fulfilment]) -> None:
    """The database refuses them all if there is a row for one of these orders."""
    insert(connection, fulfilments, [row._asdict() for row in new])


BY_IDS = select(*COLUMNS).where(fulfilments.c.order_id.in_(bindparam("ids", expanding=True)))
LOCK = BY_IDS.order_by(fulfilments.c.order_id).with_hint(fulfilments, "FORCE INDEX (PRIMARY)").with_for_update()


def lock(connection: Connection, order_ids: Iterable[int]) -> dict[int, Fulfilment]:
    """The rows there are, locked by primary key in id order."""
    rows = connection.execute(LOCK, {"ids": sorted(set(order_ids))})
    return {row.order_id: of_row(row) for row in rows}


def read(connection: Connection, order_ids: Sequence[int]) -> dict[int, Fulfilment]:
    rows = connection.execute(BY_IDS, {"ids": list(order_ids)})
    return {row.order_id: of_row(row) for row in rows}


def now(connection: Connection) -> datetime:
    """The database's clock: the only one that all workers share."""
    moment: datetime = connection.execute(select(func.now(6))).scalar_one()
    return moment.replace(tzinfo=UTC)


def remember_tries(
    connection: Connection,
    ended: Sequence[Fulfilment],
    result: Literal["failed", "lost", "cancelled"],
    ended_at: datetime | None,
    reason: str | None = None,
) -> None:
    """Keep the current try of each before its row goes on to the next. One still waiting out a backoff never began.

    One that began further ahead than any backoff began before the database's clock was set back.
    """
    moment = ended_at or now(connection)
    rows = [
        {
            "order_id": row.order_id,
            "fence": row.fence,
            "worker": row.owner,
            "started_at": row.started_at,
            "ended_at": ended_at,
            "result": result,
            "reason": reason,
        }
        for row in ended
        if row.started_at is not None
        and not moment < row.started_at <= moment + timedelta(seconds=LONGEST_BACKOFF_SECONDS)
    ]
    insert(connection, past_tries, rows)


def tell(connection: Connection, decided: Sequence[Fulfilment]) -> None:
    """Announce what was decided, in the commit that decides it, or once more when asked again."""
    tries = _past_tries(
        connection, [row.order_id for row in decided if row.fence > 1 or row.state is not State.FULFILLED]
    )
    outbox.add(connection, [_event(row, tries.get(row.order_id, [])) for row in decided])


def _event(row: Fulfilment, tries: list[Try]) -> FulfilmentEvent:
    assert row.decided_at is not None
    told: Outcome = {
        "version": 1,
        "order_id": row.order_id,
        "revision": row.revision,
        "announced_at": row.announced_at,
        "taken_at": row.taken_at,
        "decided_at": row.decided_at,
    }
    if row.request_id is not None:
        told["request_id"] = row.request_id
    if row.state is State.CANCELLED:
        return {**told, "type": "FulfilmentCancelled", "tries": tries}
    if row.state in {State.FAILED, State.FAILED_LATE}:
        return {**told, "type": "FulfilmentFailed", "tries": tries, "reason": row.reason or "unknown"}
    assert row.owner is not None
    if row.fence == 1:
        return {**told, "type": "OrderFulfilled", "worker": row.owner}
    return {**told, "type": "OrderFulfilled", "worker": row.owner, "tries": [*tries, _last_try(row, row.owner)]}


def _last_try(row: Fulfilment, worker: str) -> Try:
    assert row.started_at is not None
    return {
        "number": row.fence,
        "worker": worker,
        "started_at": row.started_at,
        "ended_at": row.decided_at,
        "result": "fulfilled",
        "reason": None,
    }


def _past_tries(connection: Connection, order_ids: Sequence[int]) -> dict[int, list[Try]]:
    found: dict[int, list[Try]] = {}
    if order_ids:
        for row in connection.execute(PAST_TRIES, {"ids": list(order_ids)}):
            run: Try = {
                "number": row.fence,
                "worker": row.worker,
                "started_at": row.started_at.replace(tzinfo=UTC),
                "ended_at": row.ended_at and row.ended_at.replace(tzinfo=UTC),
                "result": row.result,
                "reason": row.reason,
            }
            found.setdefault(row.order_id, []).append(run)
    return found


PAST_TRIES = (
    select(past_tries)
    .where(past_tries.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(past_tries.c.order_id, past_tries.c.fence)
)
