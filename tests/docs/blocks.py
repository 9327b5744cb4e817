"""Reading our Markdown: what it shows, and what it names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.topology import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_TICKS = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
OURS = re.compile(r"^(libs|services|infra|tests|docs|\.ci)/[\w./-]*$|^[\w-]+\.(toml|yml|md)$")
RECIPE = re.compile(r"\./justw ([a-z][\w-]*)")


@dataclass(frozen=True)
class Shown:
    """A command, and the answer that stands below it."""

    command: str
    answer: str


def console(page: Path) -> list[Shown]:
    return [shown for block in CONSOLE.findall(page.read_text()) for shown in _commands(block)]


def _commands(block: str) -> Iterator[Shown]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, answer = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield Shown(command, answer)


def paths(page: Path) -> set[Path]:
    """The files and folders of ours that a page names in `ticks`, and those it links to."""
    text = page.read_text()
    named = {ROOT / word for word in IN_TICKS.findall(text) if OURS.match(word)}
    linked = {page.parent / target for target in LINK.findall(text) if "://" not in target}
    return named | linked


def recipes(page: Path) -> set[str]:
    return set(RECIPE.findall(page.read_text()))
