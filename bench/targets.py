"""What the figures are held against: each ratio with the least it must reach, and what is aimed at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.growth import Growth
from bench.peak import peak_of
from bench.results import Results, ratio, shown
from bench.wrk import Window

Verdict = Literal["aim", "reached", "missed", "not measured", "no target"]
Bounds = tuple[float | None, float | None]  # at least, and aimed at


@dataclass(frozen=True)
class Target:
    """`figures` is what the values of the rounds are made of. Lower is better where `aim` is below `least`.

    With `least` and `aim` 0 it is a count of what must not be; without them it is only told.
    """

    name: str
    figures: str
    values: Sequence[float]
    least: float | None = None
    aim: float | None = None
    unit: str = ""

    @property
    def verdict(self) -> Verdict:
        if not self.values:
            return "not measured"
        if self.least is None or self.aim is None:
            return "no target"
        if not (self.least or self.aim):
            return "missed" if any(self.values) else "aim"
        sign = -1 if self.aim < self.least else 1
        if sign * median(self.values) >= sign * self.aim:
            return "aim"
        return "reached" if sign * median(self.values) >= sign * self.least else "missed"


def targets(found: Results) -> list[Target]:
    return [*_placing(found), *_answering(found), _burst(found), _soak(found), *_growth(found), *_overload(found)]


def _against(name: str, pair: Iterable[Sequence[float]], bounds: Bounds, unit: str = "/s") -> Target:
    """`pair` is what is divided, and by what."""
    upper, lower = pair
    digits = 0 if unit == "/s" else 2
    figures = " : ".join(f"{median(values):,.{digits}f}{unit}" if values else "-" for values in (upper, lower))
    return Target(name, figures, ratio(upper, lower), *bounds)


def total_cpu(window: Window) -> float:
    """Milliseconds for a good answer, of all that serves it."""
    return sum(cost for name, cost in window.cpu_ms.items() if name != "wrk")


def _placing(found: Results) -> list[Target]:
    noop, gated, usual, ours = (found.rates(who, "place") for who in ("noop", "noop behind gateway", "usual", "ours"))
    hot, usual_hot = found.rates("ours", "hot"), found.rates("usual", "hot")
    costs = ([total_cpu(window) for window in found.of(who, "place")] for who in ("ours", "noop"))
    return [
        _against("the usual design : no-op (below it the ratios don't count)", (usual, noop), (0.04, 0.04)),
        _against(
            "CPU time of a placed order, all that follows included : of a no-op request", costs, (4.8, 4.2), " ms"
        ),
        _against("placed orders, 128 clients, 100 products : no-op", (ours, noop), (0.35, 0.45)),
        _against("placed orders : the no-op behind the same gateway", (ours, gated), (None, None)),
        _against("one hot product : 100 products", (hot, ours), (0.9, 1)),
        _against("100 products : the usual design", (ours, usual), (5, 7)),
        _against("one hot product : the usual design", (hot, usual_hot), (8, 12)),
        _against("refusals when sold out : placing", (found.rates("ours", "soldout"), ours), (1.3, 2)),
    ]


def _answering(found: Results) -> list[Target]:
    slow = ([window.p99_ms for window in found.of(who, "place", 32)] for who in ("ours", "usual"))
    lone = ([window.p50_ms for window in found.of(who, "place", 1)] for who in ("ours", "usual"))
    read = (found.rates(who, "read") for who in ("ours", "noop"))
    return [
        _against("GET one product, 128 clients, through the gateway : a bare GET, called directly", read, (0.5, 0.7)),
        _against("p99 at 32 clients : that of the usual design", slow, (0.3, 0.2), " ms"),
        _against("a lone client's median : that of the usual design", lone, (1.4, 1.25), " ms"),
    ]


def _burst(found: Results) -> Target:
    name = "2,000 orders in a burst: last fulfilled after the last placed"
    placing = shown([burst.placing_seconds for burst in found.bursts], 2)
    return Target(name, f"placed in {placing} s", [burst.last_seconds for burst in found.bursts], 7, 6, " s")


def _soak(found: Results) -> Target:
    name = "soak at 70 % of peak: backlog bounded, memory flat, streams and outbox trimmed (complaints)"
    if found.soak is None:
        return Target(name, "-", [], 0, 0)
    failures = found.soak.failures()
    lasted = f"{found.soak.rate:,.0f}/s for {found.soak.window.seconds / 60:.1f} min"
    return Target(name, "; ".join([lasted, *failures]), [len(failures)], 0, 0)


def _growth(found: Results) -> list[Target]:
    growth = found.growth or Growth(1_000_000)
    full, empty = ([window.rate(201) for window in windows] for windows in (growth.full, growth.empty))
    pages = {name: [window.p50_ms for window in windows] for name, windows in growth.pages.items()}
    first = pages.pop("empty", [])
    slowest = max(pages.values(), key=median, default=[])
    of_list = f"the slowest page of the order list at {growth.orders:,} : first page of an empty one"
    return [
        _against(f"placing with {growth.orders:,} orders in the tables : empty", (full, empty), (0.85, 0.95)),
        _against(of_list, (slowest, first), (1.5, 1.1), " ms"),
    ]


def _overload(found: Results) -> list[Target]:
    windows, good = found.of("ours", "place", 512), found.rates("ours", "place", 512)
    wrong = [
        sum(count for status, count in window.statuses.items() if status >= "500" and status != "503")
        + window.refused_without_time
        + window.broken
        for window in windows
    ]
    name = "512 clients: answers that are 5xx but not 503 with Retry-After, or broken"
    refused = f"{sum(window.count(503) for window in windows)} x 503 with Retry-After"
    peak = [peak_of(found.trials)] * len(good)
    return [Target(name, refused, wrong, 0, 0), _against("512 clients: goodput : peak", (good, peak), (0.8, 0.95))]
