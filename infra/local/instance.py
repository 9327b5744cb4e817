"""One system per place: its directory, and the lock that an `up` holds on it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError
from local.processes import wait_until
from local.supervisor import STOP_SECONDS, Supervisor
from local.topology import ROOT, Topology


def place() -> Path:
    """Data, logs and the control socket. LOCAL_DIR names another place, for a second system beside this one."""
    return Path(os.environ.get("LOCAL_DIR") or ROOT / ".local").resolve()


@contextmanager
def alone_in(directory: Path, topology: Topology) -> Iterator[None]:
    """Hold the lock, with every port free. The kernel lets go of the lock with the process, however that ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read()
            raise LocalError(f"The system runs already: press Ctrl-C where it runs, or `kill {pid}`.") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _end_left_behind(Supervisor(directory), topology)
        taken = topology.taken_port()
        if taken:
            raise LocalError(taken)
        yield


def _end_left_behind(supervisor: Supervisor, topology: Topology) -> None:
    """What an earlier run left when it was killed ends by itself or is told to; its pid file tells that there was one."""
    pid_file = supervisor.place / "supervisord.pid"
    if not pid_file.exists():
        return

    def gone() -> bool:
        return supervisor.state() == "NONE" and topology.taken_port() is None

    if not gone():
        print("Waiting for an earlier run to end ...", flush=True)
    if supervisor.state() == "RUNNING":
        supervisor.ask_to_end()
    wait_until(gone, STOP_SECONDS, lambda: topology.taken_port() or "An earlier run does not end: kill it.")
    pid_file.unlink(missing_ok=True)
