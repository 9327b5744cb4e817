"""The wrapper, run as a person runs it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.topology import ROOT


def justw(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "justw"), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_alone_it_lists_every_recipe_with_what_it_does() -> None:
    listed = justw()

    recipes = [line for line in listed.stdout.splitlines() if line.startswith("    ") and "[" not in line]
    assert listed.returncode == 0
    assert any(line.split()[0] == "up" for line in recipes)
    assert all(" # " in line for line in recipes)


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with what every system has, and neither Python nor just."""
    for name in ("sh", "dirname", "id"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    return str(tmp_path)


def test_without_python_it_says_so_in_one_sentence(bare_path: str) -> None:
    refused = justw(PATH=bare_path, PYTHON="")

    assert refused.returncode == 1
    assert refused.stderr.startswith("Python 3.11 or newer is needed")
    assert refused.stderr.count("\n") == 1


def test_a_python_that_is_too_old_is_none(bare_path: str, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    assert justw(PATH=bare_path, PYTHON="").stderr.startswith("Python 3.11 or newer is needed")
