"""`python -m faults.seeded_bugs [name …]`: puts known bugs into a copy of the tree, one after another; each must be caught.

A patch in `bugs/` begins with a sentence on what it is and `Caught-by:` lines that name tests. The same tests must pass on
the tree as it is: a test that always fails catches nothing.

With `--by-faults` the bugs that have a line `Caught-by-faults:`, with the minutes it takes at most, are run against the fault
run instead, which knows none of the code. That is no part of CI: it takes up to half an hour.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from faults.report import Verdict
from local.topology import ROOT

BUGS = Path(__file__).with_name("bugs")
CAUGHT_BY = "Caught-by: "
BY_FAULTS = "Caught-by-faults: "
SEED = "20261124"
FAILED = 1  # the status of pytest and of the fault run; 2 and more mean that they could not even tell


@dataclass(frozen=True)
class Bug:
    name: str
    what: str
    tests: tuple[str, ...]
    patch: Path
    minutes: str | None


def read(patch: Path) -> Bug:
    lines = patch.read_text().partition("diff --git")[0].splitlines()
    tests = tuple(line.removeprefix(CAUGHT_BY) for line in lines if line.startswith(CAUGHT_BY))
    minutes = next((line.removeprefix(BY_FAULTS) for line in lines if line.startswith(BY_FAULTS)), None)
    return Bug(patch.stem, lines[0], tests, patch, minutes)


def all_bugs() -> list[Bug]:
    return [read(patch) for patch in sorted(BUGS.glob("*.patch"))]


def copy_tree(target: Path) -> None:
    """What git knows or would take, as it is in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def apply(bug: Bug, tree: Path, *options: str) -> bool:
    command = ["git", "apply", *options, str(bug.patch)]
    return subprocess.run(command, cwd=tree, check=False, env=os.environ | {"GIT_DIR": "/nonexistent"}).returncode == 0


def hunt(bugs: Sequence[Bug], tree: Path, *, by_faults: bool) -> "subprocess.CompletedProcess[str]":
    """Run what is to catch these bugs; FAILED is its status when it caught something."""
    if not by_faults:
        tests = dict.fromkeys(test for bug in bugs for test in bug.tests)
        return _in_the_copy(["pytest", "-q", "-x", "-p", "no:cacheprovider", *tests], tree)
    longest = max((bug.minutes for bug in bugs if bug.minutes), key=float)
    with tempfile.TemporaryDirectory(prefix="by-faults-") as logs:  # a run that fails leaves its own behind
        return _in_the_copy(["faults", "--minutes", longest, "--fail-fast", "--seed", SEED], tree, TMPDIR=logs)


def _in_the_copy(module: list[str], tree: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The paths must lead into the copy, not into the tree that this process came from."""
    paths = os.pathsep.join(str(tree / folder) for folder in ("libs", "services", "infra", "tests"))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | variables
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True)


def judge(bug: Bug, tree: Path, *, by_faults: bool) -> tuple[bool, str]:
    """Whether it was caught, and how; or what is wrong."""
    if not apply(bug, tree):
        return False, "the patch does not apply any more"
    try:
        done = hunt([bug], tree, by_faults=by_faults)
    finally:
        apply(bug, tree, "--reverse")
    mark = "violation" if by_faults else "E "
    complaints = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith(mark)]
    if done.returncode == FAILED and complaints:
        return True, complaints[0].removeprefix("E ").strip()[:160]
    return False, f"not caught (status {done.returncode}): {done.stdout[-200:]}"


def main() -> int:
    console = Console()
    by_faults = "--by-faults" in sys.argv
    wanted = set(sys.argv[1:]) - {"--by-faults"}
    bugs = [bug for bug in all_bugs() if (not wanted or bug.name in wanted) and (bug.minutes or not by_faults)]
    if not bugs:
        console.print("There is no such bug.")
        return 1
    with tempfile.TemporaryDirectory(prefix="seeded-bugs-") as directory:
        tree = Path(directory)
        copy_tree(tree)
        clean = hunt(bugs, tree, by_faults=by_faults)
        if clean.returncode not in ({0, Verdict.UNPROVEN} if by_faults else {0}):
            console.print(clean.stdout[-3000:], "What should catch the bugs fails without them.", markup=False)
            return 1
        progress = track(bugs, "Seeded bugs", console=console, transient=not by_faults)
        verdicts = {bug: judge(bug, tree, by_faults=by_faults) for bug in progress}
    console.print(_table(verdicts))
    return 0 if all(caught for caught, _ in verdicts.values()) else 1


def _table(verdicts: dict[Bug, tuple[bool, str]]) -> Table:
    table = Table("bug", "what it is", "", "how")
    for bug, (caught, how) in verdicts.items():
        table.add_row(bug.name, bug.what, "caught" if caught else "[red]NOT CAUGHT[/red]", escape(how))
    return table


if __name__ == "__main__":
    sys.exit(main())
