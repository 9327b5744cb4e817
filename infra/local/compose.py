"""The same commands with Docker: compose does the work."""

import os
import sys
from typing import NoReturn

from local.topology import ROOT, SERVICES, WORKERS, Topology

COMPOSE = ("docker", "compose", "--profile", "all")


def up() -> NoReturn:
    replicas = Topology.from_environment().replicas
    scaled = [*SERVICES, *(f"{service}-worker" for service in WORKERS)]
    become(*COMPOSE, "up", "--build", *(f"--scale={name}={replicas}" for name in scaled))


def reset() -> NoReturn:
    become(*COMPOSE, "down", "--volumes", "--remove-orphans")


def become(*command: str) -> NoReturn:
    """The command takes this process's place, and with it the terminal and its Ctrl-C."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
