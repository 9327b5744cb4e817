"""The database's clock as one connection sees it, set to another time."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text


@contextmanager
def set_back(connection: Connection, seconds: int) -> Iterator[None]:
    """NOW() of this connection is `seconds` earlier: what others wrote lies in the future."""
    connection.execute(text("SET SESSION timestamp = UNIX_TIMESTAMP(NOW(6)) - :seconds"), {"seconds": seconds})
    try:
        yield
    finally:
        connection.execute(text("SET SESSION timestamp = DEFAULT"))
