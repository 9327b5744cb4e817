"""The run in one table, and its verdict."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum

from rich.console import Console
from rich.table import Table

from faults.crash_points import Campaign
from faults.ledger import Ledger
from faults.storms import Storms

SETTLED_WITHIN = 30.0


class Verdict(IntEnum):
    """Its number is the exit status."""

    PASSED = 0
    FAILED = 1
    UNPROVEN = 2


@dataclass(frozen=True)
class Demands:
    """What a run must have seen before its silence means anything."""

    acknowledged: int
    unknown: int
    kills: int
    cuts: int
    cancels: int  # in time
    refusals: int
    early_cancels: int  # asked for while nothing was broken
    forced_cancels: int
    redrives: int
    looks: int
    hidden: int  # how often an order of another customer was said not to exist
    crash_points: float  # as a share of all; with all of them each kind of fault must have hit something too

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged orders, {self.unknown} unknown outcomes, {self.kills} kills, {self.cuts} cuts, "
            f"{self.cancels} cancels in time, {self.early_cancels} of them asked for at once while nothing was broken, "
            f"{self.forced_cancels} by force, {self.refusals} refusals, {self.redrives} redrives, "
            f"{self.hidden} times that another's order was not shown, "
            f"{self.looks} looks at all books and {self.crash_points:.0%} of the crash points"
        )


@dataclass
class Report:
    seed: int
    demands: Demands
    ledger: Ledger
    storms: Storms
    recoveries: list[float] = field(default_factory=list)
    kills: int = 0
    looks: int = 0

    @property
    def campaign(self) -> Campaign:
        return self.storms.campaign

    def missing(self) -> list[str]:
        """Why the run proves nothing, if it doesn't."""
        states = Counter(state for state, _ in self.ledger.seen.values())
        early = sum(self.ledger.early_cancels.values())
        cuts = sum(count for name, count in self.storms.delivered.items() if name.startswith("cut"))
        asked = [
            ("acknowledged orders", len(self.ledger.acknowledged), self.demands.acknowledged),
            ("unknown outcomes", len(self.ledger.unknown), self.demands.unknown),
            ("kills", self.kills, self.demands.kills),
            ("cuts", cuts, self.demands.cuts),
            ("cancels in time", states["cancelled"], self.demands.cancels),
            ("cancels asked for at once while nothing was broken", early, self.demands.early_cancels),
            ("cancels by force", len(self.ledger.forced), self.demands.forced_cancels),
            ("refusals", len(self.ledger.refused), self.demands.refusals),
            ("looks at all books", self.looks, self.demands.looks),
            ("times that an order of another customer was not shown", self.ledger.hidden, self.demands.hidden),
            ("redrives", len(self.ledger.redriven), self.demands.redrives),
            ("crash points", len(self.campaign.all) - len(self.campaign.missed), self._least_points),
        ]
        found = [f"{count} {what}, {least} are needed" for what, count, least in asked if count < least]
        if self.demands.crash_points == 1:
            found += [f"{name} hit nothing" for name in self.storms.delivered if not self.storms.hits[name]]
            found += [f"crash point {name} was never hit" for name in self.campaign.missed]
        return found

    @property
    def _least_points(self) -> int:
        return int(len(self.campaign.all) * self.demands.crash_points)

    def verdict(self) -> Verdict:
        if self.ledger.violations:
            return Verdict.FAILED
        return Verdict.UNPROVEN if self.missing() else Verdict.PASSED

    def show(self, console: Console) -> None:
        console.print(self._faults(), self._orders())
        for sentence in self.ledger.violations:
            console.print(f"[red]violation[/red] {sentence}", markup=True, highlight=False)
        for sentence in self.missing():
            console.print(f"[yellow]unproven[/yellow] {sentence}", highlight=False)
        console.print(f"seed {self.seed}: {self.verdict().name.lower()}", style="bold")

    def _faults(self) -> Table:
        table = Table("fault", "delivered", "hit something", title="Faults")
        for name in sorted(self.storms.delivered):
            table.add_row(name, str(self.storms.delivered[name]), str(self.storms.hits[name]))
        hit = len(self.campaign.all) - len(self.campaign.missed)
        table.add_row("crash points", f"{len(self.campaign.all)}", f"{hit}")
        table.add_row("kills in all", str(self.kills), "")
        return table

    def _orders(self) -> Table:
        table = Table("what clients saw", "", title="Orders")
        ledger = self.ledger
        states = Counter(state for state, _ in ledger.seen.values())
        for what, count in (
            ("acknowledged", len(ledger.acknowledged)),
            ("refused", len(ledger.refused)),
            ("unknown at least once", len(ledger.unknown)),
            (
                "cancels asked for in time / too late",
                f"{ledger.cancels[202] + ledger.cancels[200]} / {ledger.cancels[409]}",
            ),
            ("seen fulfilled / cancelled", f"{states['fulfilled']} / {states['cancelled']}"),
            ("redriven / cancelled by force", f"{len(ledger.redriven)} / {len(ledger.forced)}"),
            ("told that it was not accepted", sum(one.not_accepted for one in ledger.placements.values())),
            ("asked for at once while nothing was broken / in storms", self._early()),
            ("orders of another customer not shown", ledger.hidden),
            ("products discontinued", ledger.discontinued),
            ("looks at all books", self.looks),
            ("violations", len(ledger.violations)),
            ("storms", len(self.recoveries)),
            ("recovery median / p95 / max", self._recovery()),
        ):
            table.add_row(what, str(count))
        return table

    def _early(self) -> str:
        calm = sum(self.ledger.early_cancels.values())
        return f"{calm} / {len(self.ledger.early_cancels) - calm}"

    def _recovery(self) -> str:
        if not self.recoveries:
            return "-"
        ordered = sorted(self.recoveries)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
        return f"{statistics.median(ordered):.1f} s / {p95:.1f} s / {ordered[-1]:.1f} s"
