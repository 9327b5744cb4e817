"""A client doesn't notice that a process ends, nor that another takes its place."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.layout import listening
from harness.schemas import ROOT
from local.processes import free_port, tethered

SCRIPT = Path(__file__).with_name("slow_process.py")


class Slow:
    """Processes that share one listening socket."""

    def __init__(self, shared: socket.socket) -> None:
        self.shared = shared
        self.port: int = shared.getsockname()[1]
        self.started: list[subprocess.Popen[str]] = []

    def start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            tethered([sys.executable, str(SCRIPT)]),
            env={"PYTHONPATH": str(ROOT / "libs")},
            stdin=self.shared.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path: str) -> tuple[int, str | None]:
        """The status, and what is said about the connection."""
        connection = self.connection()
        try:
            return ask(connection, path)
        finally:
            connection.close()


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, str | None]:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Connection")


@pytest.fixture
def slow() -> Iterator[Slow]:
    with listening(free_port()) as shared:
        slow = Slow(shared)
        yield slow
        for process in slow.started:
            process.kill()
            process.communicate()


def test_a_request_under_way_is_answered_and_the_process_ends_well(slow: Slow) -> None:
    process = slow.start()
    slow.get("/livez")

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(slow.get, "/slow?seconds=1")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)

        assert answer.result() == (200, "close")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "ended" in output


def test_a_kept_connection_is_answered_once_more_and_then_closed(slow: Slow) -> None:
    process = slow.start()
    connection = slow.connection()
    before = ask(connection, "/livez")

    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    during = ask(connection, "/livez")
    process.communicate(timeout=20)
    connection.close()

    assert before == (200, None)
    assert during == (200, "close")


def test_a_connection_made_between_two_processes_waits_for_the_next(slow: Slow) -> None:
    process = slow.start()
    slow.get("/livez")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(slow.get, "/livez")
        slow.start()

        assert answer.result(60) == (200, None)


def test_a_rolling_restart_under_load_loses_no_request(slow: Slow) -> None:
    first = slow.start()
    slow.get("/livez")  # it alone can have answered, so it is up
    slow.start()
    over = threading.Event()

    def keep_asking() -> list[int]:
        """As a client with keep-alive does: a new connection only when the server says that it closes."""
        found, connection = [], slow.connection()
        while not over.is_set():
            status, closes = ask(connection, "/slow?seconds=0.005")
            found.append(status)
            if closes:
                connection.close()
        connection.close()
        return found

    with ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(keep_asking) for _ in range(8)]
        time.sleep(0.5)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
        slow.start()
        time.sleep(0.5)
        over.set()
        statuses = [status for client in clients for status in client.result()]

    assert first.returncode == 0
    assert len(statuses) > 100
    assert set(statuses) == {200}
