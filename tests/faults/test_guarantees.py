"""docs/guarantees.md tells the truth: every test it names exists, and so does every seeded bug."""

import re

from faults.seeded_bugs import all_bugs
from local.topology import ROOT

PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`([\w/.]+)::(\w+)`", PAGE)

    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]

    assert len(named) > 50
    assert missing == []


def test_every_seeded_bug_is_told_with_what_caught_it() -> None:
    untold = [
        bug.name
        for bug in all_bugs()
        if not any(bug.name in line and all(f"`{test}`" in line for test in bug.tests) for line in PAGE.splitlines())
    ]

    assert untold == []
