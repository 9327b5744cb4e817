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
TESTS_FAILED = 1  # pytest's status; 2 and more mean that it could not even run them


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


def run_tests(tests: tuple[str, ...], tree: Path) -> "subprocess.CompletedProcess[str]":
    return _in_the_copy(["pytest", "-q", "-x", "-p", "no:cacheprovider", *tests], tree)


def run_faults(minutes: str, tree: Path) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory(prefix="by-faults-") as logs:  # a run that fails leaves its own behind
        arguments = ["--minutes", minutes, "--fail-fast", "--seed", SEED]
        return _in_the_copy(["faults", *arguments], tree, TMPDIR=logs)


def _in_the_copy(module: list[str], tree: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The paths must lead into the copy, not into the tree that this process came from."""
    paths = os.pathsep.join(str(tree / folder) for folder in ("libs", "services", "infra", "tests"))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | variables
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True)


def judge_by_faults(bug: Bug, tree: Path) -> tuple[bool, str]:
    """Whether the fault run failed, and what it complained of."""
    assert bug.minutes is not None
    if not apply(bug, tree):
        return False, "the patch does not apply any more"
    try:
        done = run_faults(bug.minutes, tree)
    finally:
        apply(bug, tree, "--reverse")
    complaints = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("violation")]
    if done.returncode == Verdict.FAILED and complaints:
        return True, complaints[0][:160]
    return False, f"not caught (status {done.returncode}): {done.stdout[-200:]}"


def judge(bug: Bug, tree: Path) -> tuple[bool, str]:
    """Whether it was caught, and how; or what is wrong."""
    if not apply(bug, tree):
        return False, "the patch does not apply any more"
    try:
        done = run_tests(bug.tests, tree)
    finally:
        apply(bug, tree, "--reverse")
    if done.returncode == TESTS_FAILED:
        return True, _reason(done.stdout)
    if done.returncode == 0:
        return False, "not caught"
    return False, f"pytest could not run what should catch it (status {done.returncode})"


def _reason(output: str) -> str:
    """What the test complained of."""
    complaints = [line[1:].strip() for line in output.splitlines() if line.startswith("E ")]
    return complaints[0][:120] if complaints else "the test failed"


def main() -> int:
    console = Console()
    by_faults = "--by-faults" in sys.argv
    wanted = set(sys.argv[1:]) - {"--by-faults"}
    bugs = [bug for bug in all_bugs() if (not wanted or bug.name in wanted) and (bug.minutes or not by_faults)]
    with tempfile.TemporaryDirectory(prefix="seeded-bugs-") as directory:
        tree = Path(directory)
        copy_tree(tree)
        if by_faults:
            longest = max((bug.minutes for bug in bugs if bug.minutes), key=float)
            clean = run_faults(longest, tree)
            if clean.returncode == Verdict.FAILED:
                console.print(clean.stdout[-3000:], "The fault run fails without a bug in it.", markup=False)
                return 1
            verdicts = {bug: judge_by_faults(bug, tree) for bug in track(bugs, "Seeded bugs", console=console)}
            console.print(_table(verdicts))
            return 0 if bugs and all(caught for caught, _ in verdicts.values()) else 1
        clean = run_tests(tuple(dict.fromkeys(test for bug in bugs for test in bug.tests)), tree)
        if clean.returncode != 0:
            console.print(clean.stdout[-3000:], "The tests that should catch the bugs fail without them.", markup=False)
            return 1
        verdicts = {bug: judge(bug, tree) for bug in track(bugs, "Seeded bugs", console=console, transient=True)}
    console.print(_table(verdicts))
    return 0 if bugs and all(caught for caught, _ in verdicts.values()) else 1


def _table(verdicts: dict[Bug, tuple[bool, str]]) -> Table:
    table = Table("bug", "what it is", "", "how")
    for bug, (caught, how) in verdicts.items():
        table.add_row(bug.name, bug.what, "caught" if caught else "[red]NOT CAUGHT[/red]", escape(how))
    return table


if __name__ == "__main__":
    sys.exit(main())
