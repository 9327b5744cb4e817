"""Services that say what reached them, and a client that sends exactly the bytes it is given."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"


class Failure(StrEnum):
    """What a service may do to a request that reached it, instead of an answer."""

    RESETS = "resets the connection after the first byte"
    HANGS_UP = "hangs up when it has read everything"
    BREAKS_OFF = "breaks off in the head of its answer"
    KEEPS_SILENT = "keeps silent until the gateway gives up"


class Service(ThreadingHTTPServer):
    """Answers with what it got, or fails."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__((HOST, 0), Handler)
        self.name = name
        self.failure: Failure | None = None
        self.seen: list[str] = []

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave as one packet, or each answer would wait for an acknowledgement
    server: Service

    def handle(self) -> None:
        if self.server.failure is Failure.RESETS:
            self.server.seen.append(self.connection.recv(1).decode())
            return  # the kernel resets a connection that is closed with bytes unread
        super().handle()

    def _echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append(f"{self.command} {self.path}")
        if self.server.failure is not None:
            self._fail(self.server.failure)
            return
        got = {"service": self.server.name, "method": self.command, "path": self.path, "body": body}
        peer = {
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "peer": self.client_address[1],
        }
        answer = json.dumps(got | peer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Location", "/api/v1/orders/1")
        self.end_headers()
        self.wfile.write(answer)

    def _fail(self, failure: Failure) -> None:
        self.close_connection = True
        if failure is Failure.BREAKS_OFF:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        if failure is Failure.KEEPS_SILENT:
            self.rfile.read(1)

    do_GET = do_POST = do_PUT = do_DELETE = _echo  # noqa: N815 - http.server looks for these names

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(name: str) -> Iterator[Service]:
    with Service(name) as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()


@contextmanager
def refusing() -> Iterator[str]:
    """An address where connections are refused, as that of a replica that restarts."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield f"{HOST}:{bound.getsockname()[1]}"


@contextmanager
def unreachable() -> Iterator[str]:
    """An address that doesn't answer: its queue of connections is full, and the kernel drops whoever wants to join."""
    with socket.create_server((HOST, 0), backlog=0) as full, ExitStack() as queue:
        for _ in range(2):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"{HOST}:{full.getsockname()[1]}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reach:
    """Sends to the gateway, whose services are at hand by name."""

    port: int
    services: dict[str, Service] = field(default_factory=dict)

    def __call__(self, path: str, method: str = "GET", *headers: str, body: str = "", version: str = "1.1") -> Answer:
        head = [f"{method} {path} HTTP/{version}", "Host: shop.example", "Connection: close", *headers, "", ""]
        return self.raw("\r\n".join(head).encode() + body.encode())

    def raw(self, request: bytes) -> Answer:
        with socket.create_connection((HOST, self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode())
