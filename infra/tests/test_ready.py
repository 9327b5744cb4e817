"""The health check of a container, against a real server that says this or that."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.processes import free_port
from local.topology import ROOT


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that gives this status on /readyz, 404 elsewhere; the value is its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b"database: no answer")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def check(port: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ready", str(port)]
    return subprocess.run(command, cwd=ROOT / "infra", capture_output=True, text=True, check=False)


def test_a_process_that_is_ready_is_healthy() -> None:
    with answering(200) as port:
        checked = check(port)

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("status", [503, 404, 302])
def test_any_other_answer_is_unhealthy_and_shows(status: int) -> None:
    with answering(status) as port:
        checked = check(port)

    assert (checked.returncode, checked.stderr) == (1, f"{status}: database: no answer\n")


def test_no_answer_is_unhealthy() -> None:
    checked = check(free_port())

    assert checked.returncode == 1
    assert checked.stderr.startswith("no answer: ")
