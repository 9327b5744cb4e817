"""Docker or not: what runs the system, and its tests, on this machine."""

import os
import shutil
import subprocess
from typing import Literal

from local.errors import LocalError

Runtime = Literal["docker", "local"]
ANSWER_SECONDS = 10


def choose() -> Runtime:
    """Docker where it can be used; RUNTIME decides otherwise."""
    match os.environ.get("RUNTIME", ""):
        case "local":
            return "local"
        case "docker" if not docker_available():
            raise LocalError("RUNTIME=docker is set, but no Docker engine with the compose plugin answers: start one.")
        case "docker":
            return "docker"
        case "":
            return "docker" if docker_available() else "local"
        case other:
            raise LocalError(f"RUNTIME={other} makes no sense: it is local or docker.")


def docker_available() -> bool:
    return docker_engine_available() and _succeeds("docker", "compose", "version")


def docker_engine_available() -> bool:
    """Whether an engine answers: a client alone is no Docker."""
    return shutil.which("docker") is not None and _succeeds("docker", "version", "--format", "{{.Server.Version}}")


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
