"""The README's tour, run command by command as a reader would, on a fresh system."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from docs import blocks
from harness.system import System, running
from local.topology import ROOT

TIME = re.compile(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"')


@pytest.fixture(scope="module", params=["open", "secured"])
def fresh_system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Its step takes as long as the README says: in 0.3 s an order is fulfilled before it can be cancelled."""
    directory = tmp_path_factory.mktemp("tour")
    with running(directory, replicas=1, step_seconds=5, secured=request.param == "secured") as system:
        yield system


def test_every_answer_in_the_readme_is_what_its_command_gives(fresh_system: System) -> None:
    tour = blocks.console(ROOT / "README.md")
    assert len(tour) > 5

    for shown in tour:
        assert comparable(_run(shown.command, fresh_system)) == comparable(shown.answer), shown.command


def _run(command: str, system: System) -> str:
    here = _with_its_token(command, system).replace("localhost:8000", system.url.removeprefix("http://"))
    done = subprocess.run(["sh", "-c", here], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def _with_its_token(command: str, system: System) -> str:
    """As a reader adds it where the system asks for one: a customer's for orders, and staff's for all else."""
    address = re.search(r"localhost:8000([\w/-]+)", command)
    if system.credentials is None or address is None:
        return command
    return command.replace("curl ", f"curl -H 'Authorization: {system.credentials.header(address[1])}' ", 1)


def comparable(answer: str) -> Any:
    """Times are never the same twice; and JSON may be broken into lines for its reader."""
    return json.loads(TIME.sub('"a time"', answer) or "null")
