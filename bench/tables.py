"""The results as tables."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.cells import MANY, Cell
from bench.results import Results, ratio, shown
from bench.targets import Target, targets, total_cpu

MARKS = {"aim": "aim reached", "reached": "reached", "missed": "**missed**", "no target": ""}
MOMENTS = 6  # of the soak that are shown


@dataclass(frozen=True)
class Grid:
    title: str
    heads: list[str]
    rows: list[list[str]]


def grids(found: Results) -> list[Grid]:
    makers = (_verdicts, _loads, _cpu, _peak, _soak, _pages, _generator)
    return [grid for grid in (make(found) for make in makers) if grid.rows]


def _verdicts(found: Results) -> Grid:
    heads = ["", "figures", "ratio", "at least", "aim", "verdict"]
    return Grid("Against the targets", heads, [_verdict(target) for target in targets(found) if target.values])


def _verdict(target: Target) -> list[str]:
    measured, bounds = shown(target.values, 0 if target.least == 0 else 2) + target.unit, ["", ""]
    if target.least is not None and target.aim is not None:
        sign = "≤ " if target.aim < target.least else ""
        bounds = [f"{sign}{value:g}{target.unit}" for value in (target.least, target.aim)]
    return [target.name, target.figures, measured, *bounds, MARKS[target.verdict]]


def _loads(found: Results) -> Grid:
    heads = ["load", "clients", "a second", ": no-op, 128 clients", "p50 ms", "p99 ms", "other answers"]
    return Grid("Every load", heads, [_load(found, cell) for cell in found.windows])


def _load(found: Results, cell: Cell) -> list[str]:
    """Against the no-op of the same round: reads against its GET, all else against its POST."""
    windows = found.windows[cell]
    rates = found.rates(cell.subject, cell.scenario, cell.clients)
    others = sum((Counter(window.others(*cell.good)) for window in windows), Counter())
    others += Counter({"broken": sum(window.broken for window in windows)})
    return [
        cell.load,
        f"{cell.clients}",
        shown(rates, 0),
        shown(ratio(rates, found.rates("noop", "read" if cell.scenario == "read" else "place")), 3),
        shown([window.p50_ms for window in windows], 1),
        shown([window.p99_ms for window in windows], 1),
        ", ".join(f"{count} x {what}" for what, count in others.items()),
    ]


def _cpu(found: Results) -> Grid:
    """Where the time goes: of each process the median of the rounds, and so of their sum."""
    loads = {cell: ws for cell, ws in found.windows.items() if cell.subject != "static" and cell.clients == MANY}
    costs = [{"together": [total_cpu(w) for w in ws]} for ws in loads.values()]
    for cost, windows in zip(costs, loads.values(), strict=True):
        for window in windows:
            for name, spent in window.cpu_ms.items():
                cost.setdefault(name, []).append(spent)
    names = dict.fromkeys(name for cost in costs for name in cost)
    rows = [[name, *(_per_thousand(cost.get(name, [])) for cost in costs)] for name in names]
    title = "CPU milliseconds per 1,000 good answers and what follows them, 128 clients (`together` without wrk)"
    return Grid(title, ["process", *(cell.load for cell in loads)], rows)


def _per_thousand(costs: list[float]) -> str:
    return f"{1000 * median(costs):,.0f}" if costs else ""


def _peak(found: Results) -> Grid:
    rows = [
        [
            f"{trial.asked:,.0f}/s" if trial.asked else "all that goes",
            f"{trial.rate:,.0f}/s",
            f"{trial.unfinished:,}",
            f"{trial.growth_per_second:+,.0f}/s",
            "bounded" if trial.bounded else "grows",
        ]
        for trial in found.trials
    ]
    return Grid("The peak", ["asked for", "placed", "unfinished at the end", "growing by", "backlog"], rows)


def _soak(found: Results) -> Grid:
    """A few moments, from the end of the first tenth on: until then the pipeline fills."""
    if found.soak is None:
        return Grid("", [], [])
    last = len(found.soak.samples) - 1
    some = [found.soak.samples[last // 10 + n * (last - last // 10) // (MOMENTS - 1)] for n in range(MOMENTS)]
    rows = [
        _row("orders unfinished", (sample.backlog.unfinished for sample in some)),
        _row("batches in the outboxes", (sample.backlog.outbox for sample in some)),
        _row("age of the oldest stream entry, s", (sample.backlog.stream_seconds for sample in some)),
    ]
    rows += [_row(f"memory of {name}, MiB", (s.memory_mb[name] for s in some)) for name in some[0].memory_mb]
    return Grid("The soak", ["after", *(f"{sample.at:.0f} s" for sample in some)], rows)


def _row(name: str, values: Iterable[float]) -> list[str]:
    return [name, *(f"{value:,.0f}" for value in values)]


def _pages(found: Results) -> Grid:
    if found.growth is None:
        return Grid("", [], [])
    pages = found.growth.pages.items()
    rows = [[name, shown([window.p50_ms for window in windows], 2)] for name, windows in pages]
    title = f"Pages of 100 orders, of {found.growth.orders:,} (`empty`: of an empty system)"
    return Grid(title, ["page", "median ms"], rows)


def _generator(found: Results) -> Grid:
    """What wrk could ask for, and how much of a core it took while it asked."""
    cells = [cell for cell in found.windows if cell.subject in {"static", "noop"} or cell.scenario == "read"]
    rows = [
        [
            cell.load,
            shown(found.rates(cell.subject, cell.scenario), 0),
            shown([window.wrk_seconds / window.seconds for window in found.windows[cell]], 2),
        ]
        for cell in cells
        if cell.clients == MANY
    ]
    return Grid("The generator is not the bottleneck", ["load", "a second", "wrk's share of a core"], rows)
