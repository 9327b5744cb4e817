"""Noticing that the database's clock was set back: what was due in seconds would then be due late by as much.

So all that waits for fulfilment's answer is made due, as after a loss in Redis. `chassis.clock` alone doesn't see a jump that
is shorter than the longest distance between two reminders.
"""

import logging
from time import monotonic

from sqlalchemy import Connection, text

from chassis.database.transactions import Database
from ordering.model import redis_marks

log = logging.getLogger(__name__)

TOLERATED_SECONDS = 2.0


class ClockWatch:
    """Compares the database's clock with one that never goes back: this process's monotonic one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ahead: float | None = None

    async def look(self) -> None:
        ahead = await self._database.run(database_seconds) - monotonic()
        if self._ahead is not None and ahead < self._ahead - TOLERATED_SECONDS:
            log.warning(
                "the database's clock was set back by %.0f s; looking after all that waits", self._ahead - ahead
            )
            await self._database.run(begin_to_make_due)
        self._ahead = ahead


def database_seconds(connection: Connection) -> float:
    return float(connection.execute(text("SELECT UNIX_TIMESTAMP(NOW(6))")).scalar_one())


def begin_to_make_due(connection: Connection) -> None:
    """`notice_loss` does the rest, in steps."""
    connection.execute(redis_marks.update().values(made_due_up_to=0))
