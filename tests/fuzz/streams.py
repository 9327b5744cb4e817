"""Generated entries on a real stream, before a real worker."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis import Redis

from contracts.streams import PAYLOAD_FIELD, Stream
from fuzz.poison import Entry, Fate
from harness.engine import MySQLServer
from harness.system import wait_until


@dataclass
class Reader:
    """The worker of `service`, which reads `stream` as the group of that name."""

    service: str
    stream: Stream
    redis: Redis
    mysql: MySQLServer
    expected: dict[str, Fate] = field(default_factory=dict)
    good: set[int] = field(default_factory=set)  # orders of which a good event was sent

    def send(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fields: dict[Any, Any] = dict(entry.fields)
            entry_id: Any = self.redis.xadd(self.stream.name, fields)
            names = [entry_id.decode()]
            if len(entry.fates) > 1:
                names = [f"{names[0]}#{number}" for number in range(len(entry.fates))]
            self.expected |= dict(zip(names, entry.fates, strict=True))
            self.good |= _orders(entry)

    def wait_until_all_is_read(self) -> None:
        """Every entry is acknowledged, which comes last."""
        wait_until(self._is_through, what=f"{self.service} to deal with the stream {self.stream.name}")

    def _is_through(self) -> bool:
        groups: Any = self.redis.xinfo_groups(self.stream.name)
        [group] = [group for group in groups if group["name"] == self.service.encode()]
        newest: Any = self.redis.xinfo_stream(self.stream.name)
        return bool(group["pending"] == 0 and group["last-delivered-id"] == newest["last-generated-id"])

    def wrongly_buried(self) -> set[str]:
        """Events that should have been handled, and those that should have been buried and weren't."""
        rows = self.mysql.execute(f"SELECT entry_id FROM {self.service}.dead_letters")
        buried = {str(entry_id) for (entry_id,) in rows} & self.expected.keys()
        must = {name for name, fate in self.expected.items() if fate is Fate.BURIED}
        may = {name for name, fate in self.expected.items() if fate is not Fate.HANDLED}
        return (must - buried) | (buried - may)


def _orders(entry: Entry) -> set[int]:
    """Of its good events."""
    wanted = [number for number, fate in enumerate(entry.fates) if fate is Fate.HANDLED]
    events = orjson.loads(entry.fields[PAYLOAD_FIELD])["events"] if wanted else []
    return {events[number]["order_id"] for number in wanted}
