"""What a try writes: that it has passed the point of no return, that it fulfilled its order, or that it failed.

It counts only while the row still carries this try: every write here is for (owner, fence) as taken, so a worker that was
paused and overtaken changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, text

from chassis.database.rows import folded
from fulfilment.fulfilments import LOCK, Fulfilment, lock, now, remember_tries, tell
from fulfilment.model import LONGEST_BACKOFF_SECONDS, REASON_LENGTH, TRANSITIONS, Cause, State, fulfilments


class Lost(Exception):
    """Another try has taken the order over, or it was cancelled: this one counts no more."""


@dataclass(frozen=True)
class Failure:
    held: Fulfilment
    reason: str


def still_held(connection: Connection, held: Iterable[Fulfilment]) -> list[Fulfilment]:
    """Those whose try is still their row's latest, locked, with the state and revision that the row has now."""
    tries = {(row.order_id, row.owner, row.fence): row for row in held}
    rows = connection.execute(LATEST_TRIES, {"ids": sorted(order_id for order_id, _, _ in tries)})
    return [
        tries[row.order_id, row.owner, row.fence]._replace(
            state=State(row.state),
            revision=row.revision,
            decided_at=row.decided_at and row.decided_at.replace(tzinfo=UTC),
        )
        for row in rows
        if (row.order_id, row.owner, row.fence) in tries
    ]


LATEST_TRIES = LOCK.with_only_columns(  # only what may have changed since the row was taken
    *(fulfilments.c[name] for name in ("order_id", "owner", "fence", "state", "revision", "decided_at"))
)


def complete(connection: Connection, held: Sequence[Fulfilment]) -> list[bool]:
    """Fulfil exactly those still held, each with its event in this commit. Says for each whether this try fulfilled it.

    Nearly always they all are as they were taken, and one statement tells so by the number of rows that it moves.
    """
    moment = now(connection)
    if _move(connection, held, moment) == len(held):
        tell(connection, [row._replace(state=State.FULFILLED, decided_at=moment) for row in held])
        return [True for _ in held]
    rows = still_held(connection, held)
    raised = [row for row in rows if (row.state, Cause.COMPLETE) in TRANSITIONS]  # a cancel that came too late did that
    _move(connection, raised, moment)
    done = [row._replace(state=State.FULFILLED, decided_at=moment) for row in raised]
    tell(connection, [*done, *(row for row in rows if row.state is State.FULFILLED and row.decided_at == moment)])
    fulfilled = {row.order_id for row in (*rows, *done) if row.state is State.FULFILLED}
    return [row.order_id in fulfilled for row in held]


def _move(connection: Connection, held: Sequence[Fulfilment], moment: datetime) -> int:
    """Returns how many were in work, at their revision, under their try."""
    named = ("order_id", "owner", "fence", "revision")
    rows = [{name: getattr(row, name) for name in named} for row in sorted(held, key=lambda row: row.order_id)]
    return connection.execute(COMPLETE, {"held": folded(rows), "at": moment}).rowcount if rows else 0


COMPLETE = text(
    "UPDATE JSON_TABLE(:held, '$[*]' COLUMNS (order_id BIGINT PATH '$.order_id', owner CHAR(32) PATH '$.owner', "
    "fence INT PATH '$.fence', revision INT PATH '$.revision')) AS held "
    "STRAIGHT_JOIN fulfilments FORCE INDEX (PRIMARY) ON fulfilments.order_id = held.order_id "
    "AND fulfilments.owner = held.owner AND fulfilments.fence = held.fence AND fulfilments.revision = held.revision "
    "SET fulfilments.state = :fulfilled, fulfilments.decided_at = :at WHERE fulfilments.state IN :before"
).bindparams(
    bindparam("before", [state for state, cause in TRANSITIONS if cause is Cause.COMPLETE], expanding=True),
    fulfilled=State.FULFILLED,
)


def pass_point_of_no_return(connection: Connection, held: Sequence[Fulfilment]) -> list[Lost | None]:
    """From here on a cancel comes too late. Lost for those that were cancelled or overtaken before."""
    ids = {row.order_id for row in still_held(connection, held) if (row.state, Cause.COMMIT) in TRANSITIONS}
    if ids:
        commit = fulfilments.update().where(fulfilments.c.order_id.in_(ids))
        connection.execute(commit.values(state=State.COMMITTING))
    return [None if row.order_id in ids else Lost(f"order {row.order_id}") for row in held]


def fail(connection: Connection, failure: Failure, most_failures: int) -> Fulfilment | None:
    """Count the failure. Returns the next try, or None if there is none: given up, lost or cancelled."""
    rows = still_held(connection, [failure.held])
    given_up = TRANSITIONS.get((rows[0].state, Cause.GIVE_UP)) if rows else None
    if given_up is None:
        return None
    row, reason, moment = rows[0], failure.reason, now(connection)
    remember_tries(connection, [row], "failed", moment, reason)
    failures = row.failures + 1
    last = failures >= most_failures
    after = row._replace(failures=failures, reason=reason)
    after = after._replace(state=given_up, decided_at=moment) if last else after._replace(fence=row.fence + 1)
    pause = text("NOW(6) + INTERVAL :pause SECOND").bindparams(pause=backoff_seconds(failures))
    changed = {name: getattr(after, name) for name in ("state", "fence", "failures", "reason", "decided_at")}
    update = fulfilments.update().where(fulfilments.c.order_id == row.order_id)
    connection.execute(update.values(**changed, started_at=fulfilments.c.started_at if last else pause))
    if last:
        tell(connection, [after])
        return None
    return lock(connection, [row.order_id])[row.order_id]


def reason_of(error: Exception) -> str:
    """What is logged and stored of it; a lone surrogate could be neither, and the failure would not be counted."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return reason.encode(errors="backslashreplace").decode()[:REASON_LENGTH]


def backoff_seconds(failures: int) -> float:
    return min(LONGEST_BACKOFF_SECONDS, 0.5 * 2.0**failures)
