from collections.abc import Sequence

from sqlalchemy import Connection

from contracts.events import OrderFulfilled
from ordering.follow_fulfilment import move
from ordering.model import Cause


def apply(connection: Connection, events: Sequence[OrderFulfilled]) -> None:
    """placed → fulfilled; also cancelling → fulfilled, where the cancel came too late."""
    move(connection, events, Cause.FULFILLED)
