"""What a run must have seen before its silence means anything, and that it says so when it hasn't."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pymysql
import pytest
from rich.console import Console

from faults import checker
from faults import run as run_module
from faults.__main__ import demands
from faults.crash_points import Campaign
from faults.eyes import Look
from faults.ledger import Answer, Ledger, Placement
from faults.report import Demands, Report, Verdict
from faults.run import Run
from faults.snapshot import Snapshot
from faults.storms import Storms
from faults.whole_system import WholeSystem

NOTHING = Snapshot({}, [], {}, {}, {}, Counter(), {})
NO_DEMANDS = Demands(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def a_report(asked: Demands, ledger: Ledger | None = None) -> Report:
    campaign = Campaign(random.Random(0), lambda _child, _stimulus: None)
    storms = SimpleNamespace(campaign=campaign, delivered=Counter(), hits=Counter())
    return Report(1, asked, ledger or Ledger(), cast(Storms, storms))


def test_ten_minutes_must_bring_everything_and_fewer_their_share() -> None:
    whole, part = demands(10, short=False), demands(3, short=False)

    assert (whole.acknowledged, whole.kills, whole.cuts, whole.crash_points) == (3000, 150, 40, 1.0)
    assert (part.acknowledged, part.kills, part.cuts, part.crash_points) == (900, 45, 12, 0.3)


def test_an_hour_need_not_bring_more_than_ten_minutes_but_looks() -> None:
    hour, whole = demands(60, short=False), demands(10, short=False)

    assert hour.looks == 6 * whole.looks
    assert (hour.acknowledged, hour.crash_points) == (whole.acknowledged, whole.crash_points)


def test_even_a_short_run_must_bring_some_of_each() -> None:
    short = demands(2.2, short=True)

    assert min(vars(short).values()) > 0


def test_a_run_that_saw_nothing_proves_nothing_and_names_all_that_is_missing() -> None:
    report = a_report(demands(10, short=False))

    assert report.verdict() is Verdict.UNPROVEN
    assert "0 acknowledged orders, 3000 are needed" in report.missing()
    assert "0 cancels by force, 5 are needed" in report.missing()
    named = [sentence for sentence in report.missing() if sentence.endswith("are needed")]
    assert len(named) == len(vars(report.demands))
    assert len([sentence for sentence in report.missing() if "was never hit" in sentence]) == len(report.campaign.all)


def test_a_fault_that_hit_nothing_is_named_when_everything_is_asked_for() -> None:
    report = a_report(demands(10, short=False))
    report.storms.delivered["deadlock"] = 2
    assert "deadlock hit nothing" in report.missing()

    report.storms.hits["deadlock"] = 1
    assert "deadlock hit nothing" not in report.missing()


def test_a_violation_is_worse_than_too_little() -> None:
    ledger = Ledger()
    report = a_report(demands(10, short=False), ledger)
    ledger.violation("an order vanished")

    assert report.verdict() is Verdict.FAILED


def test_a_run_that_saw_what_it_must_has_passed() -> None:
    ledger = Ledger(placements={("", "one"): Placement("one", [], [Answer(201, b"")], order_id=1)})
    report = a_report(Demands(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), ledger)

    assert report.missing() == []
    assert report.verdict() is Verdict.PASSED


async def test_the_watch_names_what_it_sees_and_goes_on_after_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The database is away, then everything is right, then a stock is negative."""
    bad = Snapshot({1: -1}, [], {}, {}, {}, Counter(), {})
    seen: Iterator[Exception | Snapshot] = iter([pymysql.OperationalError(2003, "away"), NOTHING, bad])

    def look(_port: int) -> Look:
        now = next(seen, bad)
        if isinstance(now, Exception):
            raise now
        return Look(checker.at_any_moment(now), [])

    monkeypatch.setattr(run_module, "look", look)
    monkeypatch.setattr(run_module, "LOOK_SECONDS", 0.01)
    report = a_report(NO_DEMANDS)
    system = cast(WholeSystem, SimpleNamespace(effects=tmp_path / "none", mysql=SimpleNamespace(port=0)))
    watching = asyncio.create_task(Run(1, 1, NO_DEMANDS, Console())._watch(report, system))
    async with asyncio.timeout(10):
        while report.looks < 3:
            await asyncio.sleep(0.01)
    watching.cancel()

    assert report.ledger.violations == ["product 1: stock -1, movements 0", "product 1: stock -1 + held 0 is not 0"]
