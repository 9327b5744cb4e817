"""Whether a cancel comes in time is decided here, under the row's lock, and nowhere else."""

from collections.abc import Sequence

from sqlalchemy import Connection

from contracts.events import OrderCancelled
from fulfilment.fulfilments import Fulfilment, insert_all, lock, now, remember_tries, tell
from fulfilment.model import IN_WORK, TRANSITIONS, Cause, State, fulfilments


def cancel(connection: Connection, events: Sequence[OrderCancelled]) -> set[int]:
    """Returns the orders that are cancelled now. From `committing` on it is too late: the answer is the outcome to come.

    What failed past that point may have had its effect, so it is cancelled only by force: by a person who knows.
    """
    if not events:
        return set()
    known = lock(connection, (event["order_id"] for event in events))
    latest = {event["order_id"]: event for event in sorted(events, key=lambda event: event["revision"])}
    raised = [row._replace(revision=max(row.revision, latest[row.order_id]["revision"])) for row in known.values()]
    in_time = [row for row in raised if TRANSITIONS.get((row.state, _cause(latest[row.order_id])))]
    decided_at = now(connection)
    cancelled = [row._replace(state=State.CANCELLED, decided_at=decided_at) for row in in_time]
    remember_tries(connection, [row for row in in_time if row.state in IN_WORK], "cancelled", decided_at)
    for row in [*cancelled, *(row for row in raised if row not in in_time)]:
        _write(connection, row)
    unseen = _bury_unseen(connection, [event for id_, event in latest.items() if id_ not in known])
    tell(connection, [*cancelled, *unseen, *(row for row in raised if row not in in_time and row.state not in IN_WORK)])
    return {row.order_id for row in (*cancelled, *unseen)}


def _cause(event: OrderCancelled) -> Cause:
    return Cause.FORCED_CANCEL if event.get("forced") else Cause.CANCEL


def _write(connection: Connection, row: Fulfilment) -> None:
    update = fulfilments.update().where(fulfilments.c.order_id == row.order_id)
    connection.execute(update.values(state=row.state, revision=row.revision, decided_at=row.decided_at))


def _bury_unseen(connection: Connection, events: Sequence[OrderCancelled]) -> list[Fulfilment]:
    """Tombstones: the cancel overtook the announcement, which will find them."""
    decided_at = now(connection)
    rows = [
        Fulfilment(
            order_id=event["order_id"],
            revision=event["revision"],
            state=State.CANCELLED,
            owner=None,
            fence=0,
            failures=0,
            items=[],
            reason=None,
            request_id=event.get("request_id"),
            announced_at=None,
            taken_at=None,
            started_at=None,
            decided_at=decided_at,
        )
        for event in events
    ]
    insert_all(connection, rows)
    return rows
