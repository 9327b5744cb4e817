"""The Redis streams, who writes each, and every consumer group that reads it.

A stream is trimmed only below what all groups named here have acknowledged, so a new reader is named here first.
"""

from dataclasses import dataclass

PAYLOAD_FIELD = b"__data__"  # where FastStream looks for a message body


@dataclass(frozen=True)
class Stream:
    name: str
    groups: tuple[str, ...]


ORDERING = Stream("ordering", groups=("fulfilment",))
FULFILMENT = Stream("fulfilment", groups=("ordering",))
