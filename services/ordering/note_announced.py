"""Remembering, in the commit that empties the outbox, when each order was announced and under which stream entry."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from chassis.relay import Sent
from chassis.rows import insert
from ordering.model import Step, order_steps


def note_announced(connection: Connection, sent: Sequence[Sent]) -> None:
    rows = [
        {
            "order_id": event.order_id,
            "step": Step.ANNOUNCED,
            "at": sent_at(event.entry_id),
            "detail": {"event": event.type, "revision": event.revision, "entry": event.entry_id},
        }
        for event in sent
    ]
    insert(connection, order_steps, rows)


def sent_at(entry_id: str) -> datetime:
    """A stream entry's id is the time, by Redis's clock, in milliseconds, and a sequence number."""
    return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
