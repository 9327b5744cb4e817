"""supervisord as a child: it keeps the processes running; `up` tells it when each may start and end."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from local.errors import LocalError
from local.processes import POLL_SECONDS, tethered, unix_socket, wait_until
from local.supervisor_config import CONTROL_USER

STOP_SECONDS = 90.0


class NotRunning(Exception):
    """Nobody answers on the control socket."""


@dataclass(frozen=True)
class Supervisor:
    """What runs under the configuration in `place`, reached by its control socket."""

    place: Path

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(
            CONTROL_USER, CONTROL_USER, f"unix://{unix_socket(self.place, 'supervisor.sock')}"
        )
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise NotRunning from error

    def state(self) -> str:
        """RUNNING, SHUTDOWN, or NONE."""
        try:
            return str(self._call("getState")["statename"])
        except Fault:
            return "SHUTDOWN"
        except NotRunning:
            return "NONE"

    def ask_to_end(self) -> None:
        self._call("shutdown")

    def pid_of(self, server: str) -> int:
        """0 while it doesn't run."""
        return int(self._call("getProcessInfo", server)["pid"])

    def start(self, groups: Sequence[str]) -> None:
        for group in groups:
            self._call("startProcessGroup", group, False)

    def stop(self, groups: Sequence[str]) -> None:
        """Stop all of these at once, and wait until the last has ended."""
        for group in groups:
            self._call("stopProcessGroup", group, False)
        while any(process["pid"] for process in self._call("getAllProcessInfo") if process["group"] in groups):
            time.sleep(POLL_SECONDS)

    def run(self, environment: dict[str, str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start supervisord, in a session of its own: a Ctrl-C in the terminal is for `up` alone."""
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.place / "supervisord.conf")]
        process = subprocess.Popen(
            tethered(command),
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            start_new_session=True,
        )
        wait_until(
            lambda: process.poll() is not None or self.state() == "RUNNING", 20, lambda: "supervisord does not answer."
        )
        if process.returncode is not None:
            raise LocalError("supervisord did not start; its reason stands above.")
        return process

    def shut_down(self, process: "subprocess.Popen[bytes]", stages: Sequence[Sequence[str]]) -> None:
        """End the stages one after another, then supervisord; it ends what is left by itself."""
        try:
            for groups in stages:
                self.stop(groups)
            self.ask_to_end()
        except (NotRunning, Fault):
            process.terminate()
        process.wait(STOP_SECONDS)
