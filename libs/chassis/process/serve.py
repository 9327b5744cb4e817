"""Running a process of a service: `python -m <service> <role>`, until SIGTERM, then draining.

A client must not notice a restart. So on SIGTERM the process first stops accepting (replicas share the listening socket, or
the next start finds the waiting connections in it), then answers on the connections it has with `Connection: close`, and
ends when the last is closed. The gateway drops idle connections sooner than DRAIN_SECONDS, so none is cut with a request
on its way.
"""

import argparse
import asyncio
import gc
import importlib
import logging
import os
import socket
import sys
from collections.abc import Mapping

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from chassis.process import logs

log = logging.getLogger(__name__)

DRAIN_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 75
GC_THRESHOLDS = (20_000, 20, 50)  # Python's own, 700, 10, 10, are for programs of few objects


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._tell_clients_to_leave()
        give_up_at = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self.server_state.connections and asyncio.get_running_loop().time() < give_up_at:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)
        self._captured_signals.clear()  # uvicorn would raise them again: a drained process ends with 0, not by a signal

    def _tell_clients_to_leave(self) -> None:
        """With the answers to come. A middleware that adds the header would cost every request before as well."""
        headers = [*self.server_state.default_headers, (b"connection", b"close")]
        self.server_state.default_headers = headers
        for connection in self.server_state.connections:
            if (cycle := getattr(connection, "cycle", None)) is not None:  # a request under way
                cycle.default_headers = headers


def serve(app: FastAPI, *, host: str, port: int, fd: int | None) -> None:
    """Serve until SIGTERM or SIGINT. `fd` is a listening socket that somebody else owns and shares."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10,
        backlog=2048,
    )
    # Given as a number, uvicorn would take the socket for a Unix one and leave Nagle's delay on.
    sockets = None if fd is None else [socket.socket(fileno=os.dup(fd))]
    _spare_the_collector()
    log.info("listening on %s", f"socket {fd}" if fd is not None else f"{host}:{port}")
    _Server(config).run(sockets)
    log.info("drained")


def _spare_the_collector() -> None:
    """What is there at the start stays: left in, it was walked again and again, for a third of the CPU time under load."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def main(service: str, ports: Mapping[str, int]) -> None:
    """The command line of a service. A role is the service's module of that name; `ports` are those that serve.

    Only the role's module is imported: a process starts sooner without what it doesn't need.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument("role", choices=["migrate", *ports])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--fd", type=int, help="a listening socket to take over")
    given = parser.parse_args()
    level, form = os.environ.get("LOG_LEVEL", "INFO"), os.environ.get("LOG_FORMAT", "auto")
    logs.configure(f"{service}.{given.role}", level, form)
    module = importlib.import_module(f"{service}.{given.role}")
    try:
        if given.role == "migrate":
            module.run()
            return
        app = module.build()
    except ValidationError as error:
        log.critical("%s %s can't start: %s", service, given.role, _complaint(error, service))
        sys.exit(1)
    serve(app, host=given.host, port=given.port or ports[given.role], fd=given.fd)


def _complaint(error: ValidationError, service: str) -> str:
    """What doesn't fit together is said as it is; of a single setting only its name, since its value may be a secret."""
    together = [e["msg"].removeprefix("Value error, ") for e in error.errors() if not e["loc"]]
    prefix = "auth" if error.title == "AuthSettings" else service
    single = sorted(str(e["loc"][0]) for e in error.errors() if e["loc"])
    names = ", ".join(name.upper() if name.lower() == "environment" else f"{prefix}_{name}".upper() for name in single)
    return "; ".join([*together, *([f"these settings are missing or wrong: {names}"] if names else [])])
