from collections.abc import Sequence

from sqlalchemy import Connection

from contracts.events import FulfilmentCancelled
from ordering.follow_fulfilment import move
from ordering.model import Cause


def apply(connection: Connection, events: Sequence[FulfilmentCancelled]) -> None:
    """cancelling → releasing, due at once: the stock is given back by `release_stock`, since catalog may be slow."""
    move(connection, events, Cause.CANCEL_ACCEPTED, due="NOW(6)")
