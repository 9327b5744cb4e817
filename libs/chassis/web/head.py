"""What the head of a request says beside its address: who asks, and under which `Idempotency-Key`."""

import re
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from chassis.problems import Unprocessable
from chassis.web.access import Caller
from chassis.web.routes import header_values

KEY_LENGTH = 255
PRINTABLE = re.compile(b"[\x20-\x7e]{1,%d}" % KEY_LENGTH)


class Head(NamedTuple):
    caller: Caller
    key: str | None


async def caller_of(request: Request) -> Caller:
    """Whom the route's gate has admitted.

    Async although it awaits nothing, as the next: as a dependency FastAPI would send a plain function to the thread pool.
    """
    caller: Caller = request.scope["caller"]
    return caller


async def head_of(request: Request) -> Head:
    """Raises Unprocessable for a key that can't be kept."""
    return Head(await caller_of(request), _key_of(request))


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
