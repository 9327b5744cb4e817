"""Children start, end with their parent, and say why they don't start."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from local.errors import LocalError
from local.processes import free_port, free_ports, running, unix_socket, wait_until
from local.redis_server import Redis
from local.topology import ROOT


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_server_is_ready_in_the_block_and_gone_after_it(tmp_path: Path) -> None:
    server = Redis(tmp_path, free_port())

    with running(server) as process:
        assert server.is_ready()

    assert process.status is not None
    assert not server.is_ready()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = Redis(tmp_path, free_port(), options=("--no-such-option", "1"))

    with pytest.raises(LocalError, match=r"redis did not start; the end of .*redis\.log:(.|\n)*no-such-option"):
        running(server).__enter__()


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = f"""
        import sys, time
        from pathlib import Path
        from local.processes import running
        from local.redis_server import Redis
        with running(Redis(Path({str(tmp_path)!r}), {free_port()})) as process:
            print(process.pid, flush=True)
            time.sleep(60)
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT / "infra")}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: is_gone(child), 10, lambda: f"{child} outlived its parent")


def test_a_path_too_long_for_a_socket_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="too long for a socket"):
        unix_socket(tmp_path / ("a" * 100), "mysql.sock")


def test_no_port_is_given_twice_although_nobody_listens_there_yet() -> None:
    given = [free_port() for _ in range(300)] + free_ports(300)

    assert len(set(given)) == 600
