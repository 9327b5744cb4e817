"""The contracts of import-linter in pyproject.toml hold, and each is seen to break."""

import subprocess
import sys
from pathlib import Path

import pytest

from architecture.source import ROOT

PLANTED = {
    "a service never imports another service": ("services/catalog/model.py", "import ordering.model"),
    "libs never import services": ("libs/chassis/process/logs.py", "import catalog.model"),
    "contracts import nothing of ours": ("libs/contracts/streams.py", "import chassis.logs"),
    "models do no I/O": ("services/ordering/model.py", "import httpx"),
}


def lint(root: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    path = ":".join(str(root / folder) for folder in ("libs", "services"))
    done = subprocess.run(
        command, cwd=root, env={"PYTHONPATH": path, "PATH": ""}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Our sources, to be broken."""
    for folder in ("libs", "services"):
        for file in (ROOT / folder).rglob("*.py"):
            if "tests" not in file.parts:
                target = tmp_path / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(file.read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_every_contract_holds(copy: Path) -> None:
    status, said = lint(copy)

    assert status == 0, said


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_breaks_its_contract(contract: str, copy: Path) -> None:
    file, statement = PLANTED[contract]
    with (copy / file).open("a") as source:
        source.write(f"\n{statement}\n")

    status, said = lint(copy)

    assert status != 0
    assert f"{contract} BROKEN" in said
