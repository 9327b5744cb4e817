"""Child processes that never outlive their parent, and waiting for what they serve."""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import IO, Protocol

from local.errors import LocalError, tail

POLL_SECONDS = 0.05
BELOW_EPHEMERAL = range(20_000, 32_000)
_candidates = cycle(random.sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL)))
STOP_SECONDS = 30.0
UNIX_PATH_LIMIT = 100  # bytes; the kernel's own limit is 104 (macOS) or 108


class Server(Protocol):
    """A server that can be started on its own: by supervisor in `up`, by `running` in the tests."""

    @property
    def name(self) -> str: ...

    @property
    def directory(self) -> Path: ...

    def prepare(self) -> None:
        """Make its files; does nothing when they are there already."""

    def command(self) -> list[str]: ...

    def is_ready(self) -> bool: ...


def tethered(command: list[str]) -> list[str]:
    """The command, sent SIGTERM by the kernel when the thread that started it ends, even by kill -9.

    Only Linux offers this. Elsewhere an orphan stays, and the next `up` names the port that it holds.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else command


def wait_until(ready: Callable[[], bool], timeout: float, otherwise: Callable[[], str]) -> None:
    """Poll until ready; after `timeout` seconds raise a LocalError with the sentence that `otherwise` makes."""
    give_up_at = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > give_up_at:
            raise LocalError(otherwise())
        time.sleep(POLL_SECONDS)


@contextmanager
def running(server: Server, timeout: float = 30.0) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server as a child of the calling thread, ready when the block is entered and gone when it is left."""
    server.prepare()
    log = server.directory / f"{server.name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            tethered(server.command()), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: _ready_or_ended(server, process), timeout, lambda: _not_ready(server, log))
        if process.poll() is not None:
            raise LocalError(_not_ready(server, log))
        yield process
    finally:
        stop(process)


def _ready_or_ended(server: Server, process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is not None or server.is_ready()


def _not_ready(server: Server, log: Path) -> str:
    return f"{server.name} did not start; the end of {log}:{tail(log)}"


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def console() -> Iterator[IO[bytes]]:
    """A pipe to our standard output.

    Supervisor opens its own output once more by name. The system refuses that for a terminal or file of another user,
    as after `su` or `sudo`; for this pipe it doesn't. The relay has a session of its own, so Ctrl-C leaves the last lines.
    """
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as relay:
        assert relay.stdin is not None
        yield relay.stdin


def free_port() -> int:
    """A port that was free a moment ago."""
    [port] = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Different ones, from below the kernel's ephemeral range.

    One from that range may become some connection's own end while its server is down, and then the server can't come back.
    None is given twice: whoever was given it may not listen yet.
    """
    return list(islice((port for port in _candidates if _is_free(port)), count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def unix_socket(directory: Path, name: str) -> Path:
    path = directory.resolve() / name
    if len(bytes(path)) > UNIX_PATH_LIMIT:
        raise LocalError(f"The path {path} is too long for a socket: move the project to a shorter one.")
    return path
