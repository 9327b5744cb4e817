"""What the figures are held against: each ratio with the least it must reach, and what is aimed at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.cells import MANY
from bench.results import Results, Spread, ratio

Verdict = Literal["aim", "reached", "missed", "not measured"]
USUAL_AT_LEAST = 0.04


@dataclass(frozen=True)
class Target:
    """`figures` is what the ratio is made of. A lower ratio is better where `aim` is below `least`.

    With `least` and `aim` 0 it is a count of what must not be.
    """

    name: str
    figures: str
    ratio: Spread | None
    least: float
    aim: float
    unit: str = ""

    @property
    def is_count(self) -> bool:
        return not (self.least or self.aim)

    @property
    def verdict(self) -> Verdict:
        if self.ratio is None:
            return "not measured"
        if self.is_count:
            return "missed" if any(self.ratio.values) else "aim"
        sign = -1 if self.aim < self.least else 1
        if sign * self.ratio.median >= sign * self.aim:
            return "aim"
        return "reached" if sign * self.ratio.median >= sign * self.least else "missed"


def targets(found: Results) -> list[Target]:
    return [_counts(found), *_placing(found), *_reading(found), *_latency(found), *_staying(found)]


def _per_second(values: Sequence[float]) -> str:
    return f"{Spread(tuple(values)).median:,.0f}/s" if values else "-"


def _rates(name: str, upper: Sequence[float], lower: Sequence[float], least: float, aim: float) -> Target:
    return Target(name, f"{_per_second(upper)} : {_per_second(lower)}", ratio(upper, lower), least, aim)


def _times(name: str, upper: Sequence[float], lower: Sequence[float], least: float, aim: float) -> Target:
    def shown(values: Sequence[float]) -> str:
        return f"{Spread(tuple(values)).median:,.1f} ms" if values else "-"

    return Target(name, f"{shown(upper)} : {shown(lower)}", ratio(upper, lower), least, aim)


def _counts(found: Results) -> Target:
    usual, noop = found.rates("usual", "place", MANY), found.rates("noop", "place", MANY)
    name = "the usual design : no-op (below it the ratios don't count)"
    return _rates(name, usual, noop, USUAL_AT_LEAST, USUAL_AT_LEAST)


def _placing(found: Results) -> list[Target]:
    noop, ours, hot = (
        found.rates(*cell) for cell in (("noop", "place", MANY), ("ours", "place", MANY), ("ours", "hot", MANY))
    )
    usual, usual_hot = found.rates("usual", "place", MANY), found.rates("usual", "hot", MANY)
    refused = found.rates("ours", "soldout", MANY)
    return [
        _rates("placed orders, 128 clients, 100 products : no-op", ours, noop, 0.30, 0.45),
        _rates("one hot product : 100 products", hot, ours, 0.90, 1.0),
        _rates("100 products : the usual design", ours, usual, 6, 10),
        _rates("one hot product : the usual design", hot, usual_hot, 7, 12),
        _rates("refusals when sold out : placing", refused, ours, 1.3, 2),
    ]


def _reading(found: Results) -> list[Target]:
    name = "GET one product, 128 clients, through the gateway : a bare GET, called directly"
    return [_rates(name, found.rates("ours", "read", MANY), found.rates("noop", "read", MANY), 0.50, 0.7)]


def _latency(found: Results) -> list[Target]:
    slow, usually_slow = ([window.p99_ms for window in found.of(who, "place", 32)] for who in ("ours", "usual"))
    lone, usually_lone = ([window.p50_ms for window in found.of(who, "place", 1)] for who in ("ours", "usual"))
    return [
        _times("p99 at 32 clients : that of the usual design", slow, usually_slow, 0.3, 0.15),
        _times("a lone client's median : that of the usual design", lone, usually_lone, 2.0, 1.3),
    ]


def _staying(found: Results) -> list[Target]:
    return [_burst(found), _soak(found), *_growth(found), *_overload(found)]


def _burst(found: Results) -> Target:
    name = "2,000 orders in a burst: last fulfilled after the last placed"
    figures = _seconds([burst.placing_seconds for burst in found.bursts])
    last = Spread(tuple(burst.last_seconds for burst in found.bursts)) if found.bursts else None
    return Target(name, f"placed in {figures}", last, 7, 6, " s")


def _seconds(values: Sequence[float]) -> str:
    return f"{Spread(tuple(values)).shown(2)} s" if values else "-"


def _soak(found: Results) -> Target:
    name = "soak at 70 % of peak: backlog bounded, memory flat, streams and outbox trimmed (complaints)"
    if found.soak is None:
        return Target(name, "-", None, 0, 0)
    failures = found.soak.failures()
    shown = f"{found.soak.rate:,.0f}/s for {found.soak.window.seconds / 60:.1f} min"
    return Target(name, "; ".join([shown, *failures]), Spread((float(len(failures)),)), 0, 0)


def _growth(found: Results) -> list[Target]:
    growth = found.growth
    size = f"{growth.orders:,}" if growth else "1,000,000"
    full = [window.rate(201) for window in growth.full] if growth else []
    empty = [window.rate(201) for window in growth.empty] if growth else []
    pages = {name: [w.p50_ms for w in windows] for name, windows in growth.pages.items()} if growth else {}
    first = pages.pop("empty", [])
    slowest = max(pages.values(), key=lambda times: Spread(tuple(times)).median, default=[])
    return [
        _rates(f"placing with {size} orders in the tables : empty", full, empty, 0.85, 0.95),
        _times(f"the slowest page of the order list at {size} : first page of an empty one", slowest, first, 1.5, 1.1),
    ]


def _overload(found: Results) -> list[Target]:
    windows, good = found.of("ours", "place", 512), found.rates("ours", "place", 512)
    peak = [found.peak.rate] * len(good) if found.peak else []
    wrong = [
        float(sum(count for status, count in window.statuses.items() if status >= "500" and status != "503"))
        + window.refused_without_time
        + window.broken
        for window in windows
    ]
    refused = sum(window.statuses.get("503", 0) for window in windows)
    return [
        Target(
            "512 clients: answers that are 5xx but not 503 with Retry-After, or broken",
            f"{refused} x 503 with Retry-After",
            Spread(tuple(wrong)) if wrong else None,
            0,
            0,
        ),
        _rates("512 clients: goodput : peak", good, peak, 0.8, 0.95),
    ]
