"""Bringing the three schemas up to date, side by side, before anything runs on them."""

import os
import subprocess
import sys

from local.errors import LocalError
from local.processes import tethered
from local.topology import SERVICES


def migrate_all(environment: dict[str, str]) -> None:
    runs = {service: _start(service, os.environ | environment) for service in SERVICES}
    failed = [service for service, run in runs.items() if run.wait() != 0]
    if failed:
        raise LocalError(f"The migration of {' and '.join(failed)} failed; its reason stands above.")


def _start(service: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        tethered([sys.executable, "-m", service, "migrate"]), env=environment, stdin=subprocess.DEVNULL
    )
