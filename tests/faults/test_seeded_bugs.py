"""The seeded bugs are in order: each still applies, and names tests that exist. `./justw seeded-bugs` runs them."""

from pathlib import Path

import pytest

from faults.seeded_bugs import Bug, all_bugs, apply, copy_tree
from local.topology import ROOT

BUGS = all_bugs()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    copy_tree(tree)
    return tree


def test_there_are_at_least_ten() -> None:
    assert len(BUGS) >= 10


def test_the_fault_run_is_to_catch_at_least_six() -> None:
    assert len([bug for bug in BUGS if bug.minutes]) >= 6


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_still_applies(bug: Bug, tree: Path) -> None:
    assert apply(bug, tree, "--check")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_names_the_tests_that_catch_it(bug: Bug) -> None:
    assert bug.tests
    for test in bug.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()
