"""Behaviours, and the verdict on each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

LONGEST_SECONDS = 120.0  # for one behaviour, whatever it waits for


class Unmet(Exception):
    """What was promised is not so; the text says what is."""


def expect(so: bool, otherwise: str) -> None:
    if not so:
        raise Unmet(otherwise)


@dataclass(frozen=True)
class Scene:
    """`play` raises Unmet, or returns what was seen, in a few words."""

    behaviour: str
    play: Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class Verdict:
    behaviour: str
    holds: bool
    seen: str

    @property
    def mark(self) -> str:
        return "[green]holds[/]" if self.holds else "[bold red]FAILS[/]"


async def judge(scene: Scene, console: Console) -> Verdict:
    console.rule(escape(scene.behaviour), align="left")
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            verdict = Verdict(scene.behaviour, holds=True, seen=await scene.play())
    except Unmet as unmet:
        verdict = Verdict(scene.behaviour, holds=False, seen=str(unmet))
    except TimeoutError:
        verdict = Verdict(scene.behaviour, holds=False, seen=f"not done after {LONGEST_SECONDS:g} s")
    console.print(f"  {verdict.mark}: {escape(verdict.seen)}\n", soft_wrap=True)
    return verdict


def table(verdicts: Sequence[Verdict]) -> Table:
    drawn = Table("behaviour", "verdict", "seen", title="What the system promises", show_lines=True)
    for verdict in verdicts:
        drawn.add_row(escape(verdict.behaviour), verdict.mark, escape(verdict.seen))
    return drawn
