"""How far a consumer group has come in its stream, as a whole and with single entries."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from redis import asyncio as redis
from redis.exceptions import ResponseError

EntryId = tuple[int, int]  # milliseconds of Redis's clock, sequence number

BEGINNING: EntryId = (0, 0)


@dataclass(frozen=True)
class Position:
    """All entries below `floor` are acknowledged; those above `delivered` were given to no consumer yet.

    `known` is False if there is no such group: after a flush, or before the first start.
    """

    known: bool
    floor: EntryId
    delivered: EntryId


class Whereabouts(Enum):
    """Where an entry is, as its group sees it."""

    AHEAD = auto()  # there, and unread or not yet acknowledged
    PASSED = auto()  # acknowledged, and perhaps trimmed since
    GONE = auto()  # not there, though it should be: Redis has forgotten it


async def position(client: redis.Redis, stream: str, group: str) -> Position:
    _, delivered = await _progress(client, stream, group)
    if delivered is None:
        return Position(known=False, floor=BEGINNING, delivered=BEGINNING)
    pending = await client.xpending(stream, group)
    if pending["pending"]:
        return Position(known=True, floor=parts(pending["min"]), delivered=delivered)
    milliseconds, sequence = delivered
    return Position(known=True, floor=(milliseconds, sequence + 1), delivered=delivered)


async def whereabouts(client: redis.Redis, stream: str, group: str, entry_ids: Iterable[str]) -> dict[str, Whereabouts]:
    """Asks Redis for each entry that the group may still have ahead: ids alone don't tell what was lost in between."""
    of_group = await position(client, stream, group)
    found = dict.fromkeys(entry_ids, Whereabouts.PASSED)
    maybe_ahead = [id_ for id_ in found if parts(id_) >= of_group.floor]
    unread = {id_ for id_ in maybe_ahead if not of_group.known or parts(id_) > of_group.delivered}
    async with client.pipeline(transaction=False) as pipe:
        for id_ in maybe_ahead:
            pipe.xrange(stream, id_, id_)
            if id_ not in unread:
                pipe.xpending_range(stream, group, id_, id_, 1)
        answers = iter(await pipe.execute())
    for id_ in maybe_ahead:
        there = next(answers)
        pending = id_ in unread or next(answers)
        found[id_] = (Whereabouts.AHEAD if pending else Whereabouts.PASSED) if there else Whereabouts.GONE
    return found


async def has_unread(client: redis.Redis, stream: str, group: str) -> bool:
    """Do entries wait that no consumer of the group was given yet?"""
    end, delivered = await _progress(client, stream, group)
    return delivered is not None and delivered < end


async def _progress(client: redis.Redis, stream: str, group: str) -> tuple[EntryId, EntryId | None]:
    """The last entry added, and the last that the group was given: None if there is no such group."""
    try:
        end = parts((await client.xinfo_stream(stream))["last-generated-id"])
        groups = await client.xinfo_groups(stream)
    except ResponseError:  # no such stream
        return BEGINNING, None
    delivered = {found["name"]: parts(found["last-delivered-id"]) for found in groups}
    return end, delivered.get(group.encode())


def parts(entry_id: str | bytes) -> EntryId:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence)
