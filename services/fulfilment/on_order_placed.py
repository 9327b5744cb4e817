"""Taking placed orders over: once this commits, the entries may be acknowledged and the orders are ours to finish."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func
from sqlalchemy.exc import IntegrityError

from contracts.events import OrderPlaced
from fulfilment.fulfilments import Fulfilment, insert_all, lock, now, tell
from fulfilment.model import IN_WORK, TRANSITIONS, Cause, State, fulfilments


def take(connection: Connection, events: Sequence[OrderPlaced], owner: str) -> list[Fulfilment]:
    """Those to work on now. A repeat of one in work is nothing new; one already decided is answered once more.

    Nearly always all are new, so they are inserted, and looked at only if the database knows one of them.
    """
    latest = {event["order_id"]: event for event in sorted(events, key=lambda event: event["revision"])}
    try:
        return _insert(connection, list(latest.values()), owner)
    except IntegrityError:  # undoes the statement, not the transaction
        return _tell_apart(connection, latest, owner)


def _tell_apart(connection: Connection, latest: Mapping[int, OrderPlaced], owner: str) -> list[Fulfilment]:
    """Twins in two workers may both insert here; the later one fails on the primary key, runs again whole and finds the row."""
    known = lock(connection, latest)
    new = [event for event in latest.values() if event["order_id"] not in known]
    redriven = [event for event in latest.values() if _redrives(event, known.get(event["order_id"]))]
    begun = _insert(connection, new, owner)
    for event in redriven:
        _begin_again(connection, event, TRANSITIONS[known[event["order_id"]].state, Cause.REDRIVE], owner)
    again = {event["order_id"] for event in redriven}
    tell(connection, [row for row in known.values() if row.order_id not in again and row.state not in IN_WORK])
    begun += lock(connection, again).values() if again else ()
    return sorted(begun, key=lambda row: row.order_id)


def _redrives(event: OrderPlaced, row: Fulfilment | None) -> bool:
    return row is not None and event["revision"] > row.revision and (row.state, Cause.REDRIVE) in TRANSITIONS


def _insert(connection: Connection, events: Sequence[OrderPlaced], owner: str) -> list[Fulfilment]:
    if not events:
        return []
    moment = now(connection)
    begun = [
        Fulfilment(
            order_id=event["order_id"],
            revision=event["revision"],
            state=State.PROCESSING,
            owner=owner,
            fence=1,
            failures=0,
            items=event["items"],
            reason=None,
            request_id=event.get("request_id"),
            announced_at=event.get("put_at"),
            taken_at=moment,
            started_at=moment,
            decided_at=None,
        )
        for event in sorted(events, key=lambda event: event["order_id"])
    ]
    insert_all(connection, begun)
    return begun


def _begin_again(connection: Connection, event: OrderPlaced, state: State, owner: str) -> None:
    begin = fulfilments.update().where(fulfilments.c.order_id == event["order_id"])
    connection.execute(
        begin.values(
            state=state,
            revision=event["revision"],
            owner=owner,
            fence=fulfilments.c.fence + 1,
            failures=0,
            reason=None,
            started_at=func.now(6),
            decided_at=None,
        )
    )
