"""The id of the request that is being served: known to whatever runs for it, and to nothing else."""

import re
from collections.abc import Iterable
from contextvars import ContextVar

from contracts.request_ids import WELL_FORMED

HEADER = b"x-request-id"

_well_formed = re.compile(WELL_FORMED.encode())
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def enter(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """From here on it is the one in `headers`, or none: uvicorn may serve a request in the context of the one before it."""
    for name, value in headers:
        if name == HEADER:
            _current.set(value.decode() if _well_formed.fullmatch(value) else None)
            return
    _current.set(None)


def current() -> str | None:
    """None outside of requests, and in a batch that serves many."""
    return _current.get()
