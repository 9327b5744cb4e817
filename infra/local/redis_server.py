"""A Redis server of our own that keeps what it has taken: append-only file, and never an eviction."""

import socket
from dataclasses import dataclass
from pathlib import Path

from local.binaries import find

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Redis:
    """`users` is the file of those who may use it; without, anybody may."""

    directory: Path
    port: int
    users: Path | None = None
    options: tuple[str, ...] = ()
    name: str = "redis"

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        return [
            find("redis-server"),
            *("--bind", HOST),
            *("--port", str(self.port)),
            *("--dir", str(self.directory.resolve())),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--maxmemory", "1gb"),  # what is more waits in the outboxes; without a limit the kernel would end Redis
            *(("--aclfile", str(self.users.resolve())) if self.users else ()),
            *self.options,
        ]

    def is_ready(self) -> bool:
        """Answers PONG, which it doesn't while it still reads its file. Asked as the user who may do nothing but that."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"AUTH health -\r\nPING\r\n")
                with connection.makefile("rb") as answers:
                    answers.readline()
                    return answers.readline().startswith(b"+PONG")
        except OSError:
            return False
