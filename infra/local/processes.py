"""Child processes that never outlive their parent, and waiting for what they serve."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass
class Child:
    """One process that can be started, signalled and started again. Its output is added to `log`.

    An api may be given its listening socket as `stdin`.
    """

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: socket.socket | None = None
    _popen: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Does nothing while it runs."""
        if self.runs:
            return
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                tethered(self.command),
                env=os.environ | self.variables(),
                stdin=self.stdin.fileno() if self.stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Python ignores SIGXFSZ, and a child that goes on doing so gets an error from a full disk, as from a real one.
                restore_signals=False,
            )

    def variables(self) -> Mapping[str, str]:
        return self.environment

    @property
    def status(self) -> int | None:
        """Minus the signal that ended it; None while it runs, or before its first start."""
        return self._popen.poll() if self._popen else None

    @property
    def runs(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        assert self._popen is not None, "it was started"
        return self._popen.pid

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.runs:
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def wait(self, seconds: float | None = None) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired when it still runs after `seconds`."""
        assert self._popen is not None, "it was started"
        return self._popen.wait(seconds)

    def stop(self, within: float = STOP_SECONDS) -> int:
        """End it with SIGTERM, or after `within` seconds with SIGKILL; its exit status says which."""
        self.terminate()
        try:
            return self.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.is_file() else ""


@contextmanager
def running(server: Server, timeout: float = 30.0) -> Iterator[Child]:
    """Run a server as a child of the calling thread, ready when the block is entered and gone when it is left."""
    server.prepare()
    child = Child(server.name, server.command(), server.directory / f"{server.name}.log")
    child.start()
    try:
        wait_until(lambda: not child.runs or server.is_ready(), timeout, lambda: _not_ready(child))
        if not child.runs:
            raise LocalError(_not_ready(child))
        yield child
    finally:
        child.stop()


def _not_ready(child: Child) -> str:
    return f"{child.name} did not start; the end of {child.log}:{tail(child.log)}"


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
