"""Scenes, and the verdict on each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from local.demo.shop import Shop, Unmet

LONGEST_SECONDS = 120.0  # for one scene, whatever it waits for


@dataclass(frozen=True)
class Scene:
    """`play` raises Unmet, or returns what was seen, in a few words."""

    behaviour: str
    play: Callable[[Shop], Awaitable[str]]


@dataclass(frozen=True)
class Verdict:
    behaviour: str
    holds: bool
    seen: str

    @property
    def mark(self) -> str:
        return "[green]holds[/]" if self.holds else "[bold red]FAILS[/]"


async def play(scenes: Sequence[Scene], shop: Shop) -> list[Verdict]:
    async with shop:
        return [await judge(scene, shop) for scene in scenes]


async def judge(scene: Scene, shop: Shop) -> Verdict:
    shop.console.rule(escape(scene.behaviour), align="left")
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            verdict = Verdict(scene.behaviour, holds=True, seen=await scene.play(shop))
    except Unmet as unmet:
        verdict = Verdict(scene.behaviour, holds=False, seen=str(unmet))
    except TimeoutError:
        verdict = Verdict(scene.behaviour, holds=False, seen=f"not done after {LONGEST_SECONDS:g} s")
    shop.console.print(f"  {verdict.mark}: {escape(verdict.seen)}\n", soft_wrap=True)
    return verdict


def table(verdicts: Sequence[Verdict]) -> Table:
    drawn = Table("behaviour", "verdict", "seen", title="What the system promises", show_lines=True)
    for verdict in verdicts:
        drawn.add_row(escape(verdict.behaviour), verdict.mark, escape(verdict.seen))
    return drawn
