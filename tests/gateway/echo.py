"""Services that say what reached them, and a client that sends exactly the bytes it is given."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"


class Service(ThreadingHTTPServer):
    """Answers with what it got. With `hangs_up`, it closes the connection instead, the request taken."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__((HOST, 0), Handler)
        self.name = name
        self.hangs_up = False
        self.seen: list[str] = []

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave as one packet, or each answer would wait for an acknowledgement
    server: Service

    def _echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append(f"{self.command} {self.path}")
        if self.server.hangs_up:
            self.close_connection = True
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
