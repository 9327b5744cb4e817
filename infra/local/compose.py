"""The same commands with Docker: compose does the work."""

import os
import sys
from typing import NoReturn

from local.development_issuer import DevelopmentIssuer
from local.topology import ROOT, SERVICES, WORKERS, Topology

COMPOSE = ("docker", "compose", "--profile", "all")
SECURED = ("-f", "docker-compose.yml", "-f", "docker-compose.secured.yml")


def up(issuer: DevelopmentIssuer | None) -> NoReturn:
    """With an issuer the services trust it, and nobody without one of its tokens."""
    files = SECURED if issuer else ()
    if issuer:
        os.environ["JWKS_FILE"] = issuer.environment()["AUTH_JWKS"]
    replicas = Topology.from_environment().replicas
    scaled = [*SERVICES, *(f"{service}-worker" for service in WORKERS)]
    scales = [f"--scale={name}={replicas}" for name in scaled]
    become("docker", "compose", *files, "--profile", "all", "up", "--build", *scales)


def reset() -> NoReturn:
    become(*COMPOSE, "down", "--volumes", "--remove-orphans")


def become(*command: str) -> NoReturn:
    """The command takes this process's place, and with it the terminal and its Ctrl-C."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
