"""What one user sends Redis, noted by the client's own way of packing it."""

from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection

WITHOUT_KEY = {"ping", "info", "time"}
# What the client says by itself. Refused the last two, it goes on without.
GREETING = {"auth", "hello", "client|setinfo", "client|maint_notifications"}


def noted(monkeypatch: pytest.MonkeyPatch, user: str) -> set[tuple[str, str]]:
    """Keys and commands, filling up from now on; of a command without a key that is empty."""
    sent: set[tuple[str, str]] = set()
    pack = AbstractConnection.pack_command

    def noting(connection: Any, *words: Any) -> Any:
        if connection.username == user and (one := _read(words))[1] not in GREETING:
            sent.add(one)
        return pack(connection, *words)

    monkeypatch.setattr(AbstractConnection, "pack_command", noting)
    return sent


def _read(words: tuple[Any, ...]) -> tuple[str, str]:
    """The key and the command, subcommands as `xinfo|groups`."""
    command = "|".join(str(words[0]).lower().split())
    if command == "client":
        command = f"client|{str(words[1]).lower()}"
    if command in WITHOUT_KEY | GREETING:
        return "", command
    place = {"xreadgroup": words.index(b"STREAMS") + 1 if b"STREAMS" in words else 0, "eval": 3}.get(command, 1)
    key = words[place]
    return key.decode() if isinstance(key, bytes) else str(key), command
