"""What the head of a request says beside its address: who asks, under which `Idempotency-Key`, and for how long he waits."""

import re
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from chassis.problems import Unprocessable
from chassis.web.access import Caller
from chassis.web.routes import header_values

KEY_LENGTH = 255
PRINTABLE = re.compile(b"[\x20-\x7e]{1,%d}" % KEY_LENGTH)
TIME_LEFT = b"x-time-left-ms"
MILLISECONDS = re.compile(b"[0-9]{1,9}")


class Head(NamedTuple):
    """`seconds_left` is how long the caller still waits, None if he doesn't say."""

    caller: Caller
    key: str | None
    seconds_left: float | None = None

    def within(self, seconds: float) -> float:
        """So many, or fewer if the caller doesn't wait so long."""
        return seconds if self.seconds_left is None else min(seconds, self.seconds_left)


async def caller_of(request: Request) -> Caller:
    """Whom the route's gate has admitted.

    Async although it awaits nothing, as the next: as a dependency FastAPI would send a plain function to the thread pool.
    """
    caller: Caller = request.scope["caller"]
    return caller


async def head_of(request: Request) -> Head:
    """Raises Unprocessable for a key that can't be kept."""
    times = header_values(request, TIME_LEFT)
    return Head(await caller_of(request), _key_of(request), seconds(times[0]) if len(times) == 1 else None)


def seconds(milliseconds: bytes | None) -> float | None:
    """What isn't a number says nothing: the time is a hint of our own gateway and services."""
    if milliseconds is None or MILLISECONDS.fullmatch(milliseconds) is None:
        return None
    return int(milliseconds) / 1000


def _key_of(request: Request) -> str | None:
    keys = header_values(request, b"idempotency-key")
    if not keys:
        return None
    if len(keys) > 1:
        raise Unprocessable("Send one Idempotency-Key, not several")
    if not PRINTABLE.fullmatch(keys[0]):
        raise Unprocessable(f"An Idempotency-Key is 1 to {KEY_LENGTH} printable ASCII characters")
    return keys[0].decode()


CallerOf = Annotated[Caller, Depends(caller_of)]
HeadOf = Annotated[Head, Depends(head_of)]
