"""A TCP proxy in front of MySQL that can cut the connection around the next COMMIT."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from harness.engine import HOST

Cut = Literal["before the server sees it", "before its answer comes back"]
COMMIT = b"\x03COMMIT"


@dataclass
class Wire:
    """`arm` makes the next COMMIT on any connection the last thing that connection sends."""

    target: int
    cuts: int = 0
    _armed: Cut | None = None
    _listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def arm(self, cut: Cut) -> None:
        self._armed = cut

    def accept(self) -> None:
        """Until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self.target)) as server, suppress(OSError):
            answers = threading.Thread(target=_copy, args=(server, client), daemon=True)
            answers.start()
            while chunk := client.recv(65536):
                cut = self._cut(chunk)
                if cut is None:
                    server.sendall(chunk)
                    continue
                if cut == "before its answer comes back":
                    client.shutdown(socket.SHUT_RDWR)
                    server.sendall(chunk)
                    answers.join(5)
                break
            server.shutdown(socket.SHUT_RDWR)

    def _cut(self, chunk: bytes) -> Cut | None:
        if self._armed is None or COMMIT not in chunk:
            return None
        cut, self._armed = self._armed, None
        self.cuts += 1
        return cut


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Whatever becomes of the sink, the source is read to its end or its first answer after that."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)


@contextmanager
def wire(target: int) -> Iterator[Wire]:
    between = Wire(target)
    acceptor = threading.Thread(target=between.accept, daemon=True)
    acceptor.start()
    try:
        yield between
    finally:
        between.close()
        acceptor.join(5)
