"""`up` as a person meets it: one sentence when it can't run, everything when it can, nothing left when it ended."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local.gateway_server import get
from local.processes import free_port, wait_until
from local.supervisor import Supervisor
from local.topology import PORTS, ROOT

START_SECONDS = 180


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A place and ports of its own, and two of every process; it works orders off at once. Supervisor expands %(names)s."""
    ports = {name: str(free_port()) for name in PORTS}
    own = {
        "LOCAL_DIR": str(tmp_path / "100%"),
        "RUNTIME": "local",
        "REPLICAS": "2",
        "FULFILMENT_PROCESSING_SECONDS": "0.1",
    }
    path = os.pathsep.join(str(ROOT / folder) for folder in ("libs", "infra"))
    return {**os.environ, **own, **ports, "PYTHONPATH": path}


def refusal(environment: dict[str, str], module: str = "local.up") -> str:
    done = subprocess.run(
        [sys.executable, "-m", module], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def test_a_taken_port_is_one_sentence(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["GATEWAY_PORT"]))):
        said = refusal(environment)

    port = environment["GATEWAY_PORT"]
    assert said == f"Port {port} is taken: stop what uses it, or set GATEWAY_PORT to a free one.\n"


@pytest.mark.parametrize("module", ["local.up", "local.reset"])
def test_a_system_that_runs_already_is_one_sentence(environment: dict[str, str], module: str) -> None:
    place = Path(environment["LOCAL_DIR"])
    place.mkdir()
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()

        said = refusal(environment, module)

    assert said == "The system runs already: press Ctrl-C where it runs, or `kill 4711`.\n"


def test_a_missing_server_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "REDIS_SERVER": "/nowhere/redis-server"}

    said = refusal(environment | nothing)

    assert said.startswith("redis-server can't be found: install redis-server")
    assert said.count("\n") == 1


def test_reset_forgets_the_data(environment: dict[str, str]) -> None:
    place = Path(environment["LOCAL_DIR"])
    (place / "mysql").mkdir(parents=True)

    subprocess.run([sys.executable, "-m", "local.reset"], env=environment, check=True, capture_output=True)

    assert not place.exists()


def log_of(environment: dict[str, str]) -> Path:
    return Path(environment["LOCAL_DIR"]).with_suffix(".log")


@contextmanager
def up(environment: dict[str, str], *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A running system, its lines going to a file beside its place."""
    log = log_of(environment)
    command = [sys.executable, "-m", "local.up", *options]
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: "The system is up" in log.read_text(), START_SECONDS, log.read_text)
        yield process
    finally:
        process.kill()
        process.wait()


def processes_of(environment: dict[str, str]) -> list[str]:
    """Command lines of what runs with this place in its environment."""
    mark = f"LOCAL_DIR={environment['LOCAL_DIR']}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (directory / "environ").read_bytes().split(b"\0"):
                found.append((directory / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return [line for line in found if line]


def orders_are_shown_to(environment: dict[str, str], authorization: str = "") -> int:
    headers = {"Authorization": authorization} if authorization else {}
    return httpx.get(f"http://127.0.0.1:{environment['GATEWAY_PORT']}/api/v1/orders", headers=headers).status_code


def token(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "local.issue_token", "--role", "customer"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_up_serves_mends_stops_and_starts_again(environment: dict[str, str]) -> None:
    port = int(environment["GATEWAY_PORT"])
    supervisor = Supervisor(Path(environment["LOCAL_DIR"]))
    with up(environment) as process:
        assert orders_are_shown_to(environment) == 200
        assert "anybody may do everything" in log_of(environment).read_text()
        running = processes_of(environment)
        assert len([line for line in running if " ordering api --fd 0" in line]) == 2
        for worker in (environment["ORDERING_WORKER_PORT"], environment["FULFILMENT_WORKER_PORT"]):
            for replica in range(2):
                wait_until(lambda: get(int(worker) + replica, "/readyz")[0] == 200, 30, lambda: f"{worker}, {replica}")  # noqa: B023
        killed = supervisor.pid_of("gateway")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: supervisor.pid_of("gateway") not in {0, killed}, 10, lambda: "the gateway stays away")
        wait_until(lambda: get(port, "/health")[0] == 200, 30, lambda: "the gateway does not answer")

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 0
        assert processes_of(environment) == []

    with up(environment, "--secured") as process:
        assert orders_are_shown_to(environment) == 401
        assert orders_are_shown_to(environment, f"Bearer {token(environment)}") == 200
        assert "anybody may do everything" not in log_of(environment).read_text()
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not processes_of(environment), 60, lambda: f"left: {processes_of(environment)}")
