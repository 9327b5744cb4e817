"""One run from beginning to end: load, storm after storm, each healed and settled and checked, then the last check."""

import asyncio
import time
from collections import Counter
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import pymysql
from rich.console import Console

from faults import checker, lock_faults, people, schedule, settling, snapshot
from faults.eyes import look
from faults.failing_worker import fails_after_its_effect, fails_until_redriven
from faults.load import Load
from faults.report import SETTLED_WITHIN, Demands, Report
from faults.snapshot import Snapshot
from faults.storms import Storms
from faults.whole_system import CHECKER, WholeSystem, running
from harness.layout import Addresses

GIVE_UP_SECONDS = 60.0
LAST_STORM_NEEDS = 20.0
LOOK_SECONDS = 1.0
CALM_SECONDS = 2.0
LEFT_ALONE_SECONDS = 2.0  # after that, for what was asked for to be done


@dataclass
class Run:
    seed: int
    minutes: float
    demands: Demands
    console: Console
    fail_fast: bool = False
    addresses: Addresses = Addresses.SHARED
    _eyes: Executor | None = None  # who looks at the books: a thread, or while it runs a process

    async def go(self, directory: Path) -> Report:
        self._directory = directory
        with ProcessPoolExecutor(1, get_context("spawn")) as self._eyes:
            return await self._go(directory)

    async def _go(self, directory: Path) -> Report:
        async with running(directory, self.addresses) as system:
            lock_faults.prepare(system.mysql)
            tokens, operators = people.tokens(system.issuer), system.secrets.value("OPS_TOKEN")
            load = Load(system.url, system.private_url, tokens, operators, f"load {self.seed}")
            try:
                return await self._under(load, system)
            finally:
                await load.close()

    async def _under(self, load: Load, system: WholeSystem) -> Report:
        await load.start()
        self._began = time.monotonic()
        storms = Storms(system, load, diary=self._note)
        report = Report(self.seed, self.demands, load.ledger, storms)
        number = 0
        watching = asyncio.create_task(self._watch(report, system))
        while self._seconds_left() > LAST_STORM_NEEDS and not self._has_failed(report):
            await self._storm(number, report, system)
            number += 1
        watching.cancel()
        [ended] = await asyncio.gather(watching, return_exceptions=True)
        if not isinstance(ended, asyncio.CancelledError):
            report.ledger.violation(f"the look at all books ended by itself: {ended!r}")
        if self._has_failed(report):
            return report
        self.console.print("the load ends; everything settles for the last time")
        await load.stop()
        await self._settle(report, system, "at the end")
        await self._check_the_end(report, system)
        report.kills = sum(death.by_kill for death in system.keeper.deaths)
        return report

    async def _watch(self, report: Report, system: WholeSystem) -> None:
        """What holds at any moment is looked at every second, in the middle of storms too; not while the database is away."""
        while True:
            began = time.monotonic()
            try:
                await self._look(report, system)
            except (pymysql.Error, OSError):
                await asyncio.sleep(LOOK_SECONDS)
                continue
            took = time.monotonic() - began
            await asyncio.sleep(max(LOOK_SECONDS - took, took))  # never more than half of a core

    async def _look(self, report: Report, system: WholeSystem) -> None:
        effects = _effects(system.effects)  # first: what had happened before the books were read
        seen = await asyncio.get_running_loop().run_in_executor(self._eyes, look, system.mysql.port)
        report.looks += 1
        shipped = checker.nothing_shipped_is_cancelled(seen.given_up, report.ledger, effects)
        report.ledger.violated([*seen.found, *shipped])

    def _has_failed(self, report: Report) -> bool:
        return self.fail_fast and bool(report.ledger.violations)

    def _seconds_left(self) -> float:
        return self.minutes * 60 - (time.monotonic() - self._began)

    async def _storm(self, number: int, report: Report, system: WholeSystem) -> None:
        storms, ledger = report.storms, report.ledger
        await storms.load.begin_flash_sale(number)
        names = [child.name for child in system.processes]
        storm = schedule.storm(self.seed, number, names, list(system.links))
        self._note(f"storm {number}, crashing {', '.join(storm.crash_replicas)}")
        before = len(ledger.violations)
        await storms.deliver(storm)
        took = await self._settle(report, system, f"after storm {number}")
        await self._look(report, system)
        ledger.calm = True
        await asyncio.sleep(CALM_SECONDS)
        ledger.calm = False
        await asyncio.sleep(LEFT_ALONE_SECONDS)
        self.console.print(
            f"storm {number:2}: {len(storm.faults)} faults, settled in {took:4.1f} s, "
            f"{len(ledger.acknowledged)} acknowledged, {len(ledger.unknown)} unknown, "
            f"crash points {len(storms.campaign.all) - len(storms.campaign.missed)}/{len(storms.campaign.all)}",
            highlight=False,
        )
        for sentence in ledger.violations[before:]:
            self.console.print(f"  violation: {sentence}", style="red", highlight=False, markup=False)

    def _note(self, line: str) -> None:
        """For whoever reads the logs later."""
        with (self._directory / "storms.log").open("a") as log:
            log.write(f"{datetime.now(UTC):%H:%M:%S.%f} {line}\n")

    async def _settle(self, report: Report, system: WholeSystem, when: str) -> float:
        seconds, left = await settling.settle(system, GIVE_UP_SECONDS)
        report.recoveries.append(seconds)
        if left:
            report.ledger.violation(f"{when}: not settled after {seconds:.0f} s: {left}")
        elif seconds > SETTLED_WITHIN:
            report.ledger.violation(f"{when}: settled only after {seconds:.1f} s")
        return seconds

    async def _check_the_end(self, report: Report, system: WholeSystem) -> None:
        ledger, load = report.ledger, report.storms.load
        await asyncio.gather(*(_look_at_all(load, part) for part in _parts(ledger.acknowledged_ids(), 10)))
        now = await asyncio.to_thread(_snapshot, system)
        ledger.violations += checker.at_the_end(now, ledger, _effects(system.effects))
        ledger.violations += [
            f"order {order.id} is failed, and nobody made it fail"
            for order in now.orders.values()
            if order.state == "failed" and not (fails_until_redriven(order.id) or fails_after_its_effect(order.id))
        ]
        ledger.violations += _letters(now, report.storms)


def _snapshot(system: WholeSystem) -> Snapshot:
    with snapshot.reader(system.mysql.port, CHECKER) as connection:
        return snapshot.take(connection)


def _parts(ids: list[int], count: int) -> list[list[int]]:
    return [ids[start::count] for start in range(count)]


async def _look_at_all(load: Load, ids: list[int]) -> None:
    for order_id in ids:
        await load.client.look_at(order_id)


def _effects(file: Path) -> Counter[int]:
    return Counter(int(line) for line in file.read_text().splitlines()) if file.exists() else Counter()


def _letters(now: Snapshot, storms: Storms) -> list[str]:
    """Dead letters are the poison put in, exactly; what Redis lost before it was read may be missing."""
    put, found = set(storms.poison), set(now.letters)
    unclaimed = [letter for letter in found - put if now.letters[letter]]
    ours = set(unclaimed[: storms.poison_in_doubt])
    strange = [f"a dead letter that is no poison: {letter}" for letter in found - put - ours]
    missing = [f"poison that is no dead letter: {entry}" for entry in put - found if not _was_lost(entry[1], storms)]
    return [*strange, *missing]


def _was_lost(entry_id: str, storms: Storms) -> bool:
    """Redis forgot something soon after this entry was put in, perhaps before anybody had read it."""
    put_at = int(entry_id.partition("-")[0]) / 1000
    return any(lost_at - 25 < put_at <= lost_at for lost_at in storms.redis_losses)
