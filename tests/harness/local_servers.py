"""Servers as private processes on free ports."""

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from harness.engine import QUICK_MYSQL, MySQLServer, RedisServer
from local.mysql_server import MySQL
from local.processes import Server, free_port, running
from local.redis_server import Redis


@dataclass
class LocalEngine:
    server: Server
    _life: ExitStack = field(default_factory=ExitStack)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self._process = self._life.enter_context(running(self.server))

    def kill(self) -> None:
        assert self._process is not None, "it was started"
        self._process.kill()
        self._process.wait()

    def remove(self) -> None:
        self._life.close()


def mysql_server(directory: Path) -> MySQLServer:
    server = MySQL(directory, free_port(), options=QUICK_MYSQL)
    return MySQLServer(LocalEngine(server), server.port, server.admin)


def redis_server(directory: Path) -> RedisServer:
    server = Redis(directory, free_port())
    return RedisServer(LocalEngine(server), server.port)
