"""Delivering a storm: each fault at its time, then everything healed. Says of each fault whether it hit anything."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pymysql
import redis

from faults import lock_faults, promises, redis_faults, restarts
from faults.children import Breakable
from faults.crash_points import Campaign
from faults.keeper import Death
from faults.load import Load
from faults.schedule import JUMPS, LEASE_SECONDS, STORM_SECONDS, Fault, Kind, Storm
from faults.whole_system import WholeSystem

AIM_SECONDS = 2.0  # how long a fault waits for something to hit; the fulfilment api is seldom asked
CLOCK_SECONDS = 1.5  # a process looks at its clock once a second
LINGER_SECONDS = 4.0  # how long a cut stays beyond its time until it has hit something
DELAY_SECONDS = 0.7
ALONE_SECONDS = 6.0  # long enough to notice that Redis has lost its memory, and to act on it
RESTARTS_AT_ONCE = 2  # a start costs a second of a core; more at once would starve what stays up


@dataclass
class Storms:
    system: WholeSystem
    load: Load
    campaign: Campaign = field(init=False)
    delivered: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    poison: list[tuple[str, str]] = field(default_factory=list)
    poison_in_doubt: int = 0  # entries that Redis may have taken before it went away
    redis_losses: list[float] = field(default_factory=list)
    _restarts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RESTARTS_AT_ONCE))
    diary: Callable[[str], None] = lambda _line: None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.campaign = Campaign(random.Random(0), self._stimulate)
        self.system.keeper.before_start = self.campaign.arm
        self.system.keeper.on_death = self._note

    def _note(self, child: Breakable, death: Death) -> None:
        self.campaign.died(child, death)
        self.diary(f"{death.name} died with status {death.status}: {death.why}")
        if not death.expected:
            self.load.ledger.violation(f"{death.name} ended by itself with status {death.status}")

    async def deliver(self, storm: Storm) -> None:
        """Returns when everything is healed: links whole, processes running, servers answering."""
        works = [self._at_its_time(fault) for fault in storm.faults]
        crashing = [self.system.keeper.children[name] for name in storm.crash_replicas]
        await asyncio.gather(*works, *([self.campaign.run(crashing, STORM_SECONDS)] if crashing else []))
        await asyncio.gather(*self._tasks)
        await self._heal()

    async def _heal(self) -> None:
        for link in self.system.links.values():
            await link.heal()
        for child in self.system.keeper.children.values():
            child.held_down = False
            child.thaw()
            child.empty_disk()
        while not await asyncio.to_thread(self._servers_answer) or not all(
            child.runs for child in self.system.keeper.children.values()
        ):
            await asyncio.sleep(0.05)

    def _servers_answer(self) -> bool:
        return self.system.mysql.is_ready() and self.system.redis.is_ready()

    async def _at_its_time(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        await self._strike(fault)

    async def _strike(self, fault: Fault) -> None:
        name = fault.name
        try:
            hit = await getattr(self, f"_{fault.kind.name.lower()}")(fault)
        except (pymysql.Error, redis.RedisError, OSError) as error:
            # Another fault has taken away what this one works with: it doesn't count.
            self.failed.append(f"{name}: {error}")
            return
        self.diary(f"{fault} {'hit' if hit else 'missed'}")
        self.delivered[name] += 1
        self.hits[name] += bool(hit)

    async def _aim(self, child: Breakable) -> bool:
        """Wait a little until it is in the middle of something."""
        ends_at = time.monotonic() + AIM_SECONDS
        while not self._is_busy(child):
            if time.monotonic() > ends_at:
                return False
            await asyncio.sleep(0.001)
        return True

    def _is_busy(self, child: Breakable) -> bool:
        if child.kind in {"mysql", "redis", "gateway"}:
            return self.load.ledger.in_flight > 0
        ways = (self.system.links.get(f"{child.name} to {end}") for end in ("mysql", "catalog"))
        return any(link.open_exchanges for link in ways if link)

    async def _kill(self, fault: Fault) -> bool:
        child = self.system.keeper.children[fault.target]
        hit = await self._aim(child)
        child.kill()
        return hit

    async def _freeze(self, fault: Fault) -> bool:
        child = self.system.keeper.children[fault.target]
        hit = await self._aim(child)
        child.freeze()
        await asyncio.sleep(fault.seconds)
        child.thaw()
        return hit

    async def _cut(self, fault: Fault) -> bool:
        link = self.system.links[fault.target]
        assert fault.how is not None
        before = link.hits
        await link.cut(fault.how, times=fault.times, delay=DELAY_SECONDS)
        await asyncio.sleep(fault.seconds)
        ends_at = time.monotonic() + LINGER_SECONDS
        while link.hits == before and time.monotonic() < ends_at:
            await asyncio.sleep(0.01)
        await link.heal()
        return link.hits > before

    async def _redis_emptied(self, _fault: Fault) -> bool:
        entries = await asyncio.to_thread(redis_faults.empty, self.system.redis.port)
        self.redis_losses.append(time.time())  # after: what was put in meanwhile may be lost too
        return entries > 0

    async def _redis_second_lost(self, _fault: Fault) -> bool:
        child = self.system.keeper.children["redis"]
        child.held_down = True
        child.kill()
        while child.runs:
            await asyncio.sleep(0.005)
        self.redis_losses.append(time.time())
        lost = redis_faults.cut_last_second(self.system.redis.directory)
        child.held_down = False
        return lost > 0

    async def _repeated(self, fault: Fault) -> bool:
        return await asyncio.to_thread(redis_faults.repeat, self.system.redis.port, fault.seed) > 0

    async def _poison(self, fault: Fault) -> bool:
        self.poison_in_doubt += 1
        await asyncio.to_thread(redis_faults.poison, self.system.redis.port, fault.seed, self.poison)
        self.poison_in_doubt -= 1
        return True

    async def _lock_wait(self, _fault: Fault) -> bool:
        work = asyncio.to_thread(lock_faults.hold, self.system.mysql, self.load.products)
        return await self._is_logged("(1205", work)

    async def _deadlock(self, _fault: Fault) -> bool:
        work = asyncio.to_thread(lock_faults.deadlock, self.system.mysql, times=5)
        return await self._is_logged("(1213", work)

    async def _row_held(self, fault: Fault) -> bool:
        """Others must not notice. What waits for the row itself is answered when it is free."""
        held = self.load.products[0]
        since = time.monotonic()
        await asyncio.to_thread(lock_faults.hold, self.system.mysql, [held], fault.seconds)
        until = time.monotonic()
        waits = self.load.ledger.waits
        for sentence in promises.held_up(waits, since, until, [held]):
            self.load.ledger.violation(sentence)
        return any(held in wait.product_ids and (wait.until is None or wait.until > since) for wait in waits)

    async def _redis_full(self, fault: Fault) -> bool:
        """Until the storm is over at the latest. An event that Redis refuses stays in the outbox."""

        async def be_full() -> None:
            await asyncio.to_thread(redis_faults.limit_memory, self.system.redis.port, 1)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                await asyncio.to_thread(redis_faults.limit_memory, self.system.redis.port, 0)

        return await self._is_logged("used memory > 'maxmemory'", be_full())

    async def _disk_full(self, fault: Fault) -> bool:
        """Redis says so to whoever wants to write."""
        child = self.system.keeper.children["redis"]
        child.fill_disk(redis_faults.log_of_writes(self.system.redis.directory))
        refused = await self._is_logged("MISCONF", asyncio.sleep(fault.seconds))
        child.empty_disk()
        return refused

    async def _row_held_by_frozen(self, fault: Fault) -> bool:
        """A process stands still in the middle of a transaction, whose COMMIT is on its way."""
        child = self.system.keeper.children[fault.target]
        link = self.system.links[f"{child.name} to mysql"]
        ends_at = time.monotonic() + AIM_SECONDS
        while (left := ends_at - time.monotonic()) > 0 and await link.hold_next_commit(left, child.freeze):
            try:
                if await asyncio.to_thread(lock_faults.locked_products, self.system.mysql):
                    await asyncio.sleep(fault.seconds)
                    return True
            finally:
                child.thaw()
                await link.heal()
        return False

    async def _clock_of_mysql(self, fault: Fault) -> bool:
        return await self._jump(self.system.keeper.children["mysql"], fault)

    async def _clock_of_process(self, fault: Fault) -> bool:
        return await self._jump(self.system.keeper.children[fault.target], fault)

    async def _jump(self, child: Breakable, fault: Fault) -> bool:
        """There and back again: a clock that was set forward by mistake is set back, and the other way round."""
        assert child.clock is not None
        child.clock.set(random.Random(fault.seed).choice(JUMPS))
        await asyncio.sleep(CLOCK_SECONDS + fault.seconds)
        child.clock.set(0)
        await asyncio.sleep(CLOCK_SECONDS)
        return child.runs

    async def _mysql_away(self, fault: Fault) -> bool:
        child = self.system.keeper.children["mysql"]
        hit = await self._aim(child)
        child.held_down = True
        child.kill()
        await asyncio.sleep(fault.seconds)
        child.held_down = False
        return hit

    async def _connections_used_up(self, fault: Fault) -> bool:
        work = asyncio.to_thread(lock_faults.use_up_connections, self.system.mysql, fault.seconds)
        return await self._is_logged("(1040", work)

    async def _is_logged(self, what: str, work: Awaitable[object]) -> bool:
        """Whether one of our processes logs it meanwhile."""
        before = self._log_count(what)
        await work
        return self._log_count(what) > before

    def _log_count(self, what: str) -> int:
        return sum(child.log_text().count(what) for child in self.system.processes)

    async def _rolling_restart(self, fault: Fault) -> bool:
        children = self.system.children(fault.target)
        found = await restarts.rolling(children, self._restarts, self.load.ledger, self.system.keeper)
        for sentence in found:
            self.load.ledger.violation(sentence)
        return True

    def _stimulate(self, child: Breakable, stimulus: str) -> None:
        """Make an armed child come to its point."""
        task = asyncio.create_task(self._do_stimulate(child, stimulus))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do_stimulate(self, child: Breakable, stimulus: str) -> None:
        if stimulus == "SIGTERM":
            child.asked_to_go = True
            child.signal(signal.SIGTERM)
        elif stimulus == "poison":
            await self._strike(Fault(0, Kind.POISON, seed=len(self.poison)))
        elif stimulus == "Redis emptied":
            await asyncio.gather(self._freeze_others(child, ALONE_SECONDS), self._strike(Fault(0, Kind.REDIS_EMPTIED)))
        else:
            await self._freeze_others(child, LEASE_SECONDS + 2.5)

    async def _freeze_others(self, child: Breakable, seconds: float) -> None:
        """So that what comes now is for this replica to do."""
        others = [other for other in self.system.children(child.kind) if other is not child]
        await asyncio.gather(*(self._strike(Fault(0, Kind.FREEZE, other.name, seconds)) for other in others))
