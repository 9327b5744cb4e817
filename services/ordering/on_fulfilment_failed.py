from collections.abc import Sequence

from sqlalchemy import Connection

from contracts.events import FulfilmentFailed
from ordering.follow_fulfilment import move
from ordering.model import Cause


def apply(connection: Connection, events: Sequence[FulfilmentFailed]) -> None:
    """placed → failed, where it waits for a person; also cancelling → failed, where the cancel came too late."""
    move(connection, events, Cause.GAVE_UP)
