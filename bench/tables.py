"""The results as tables in Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from bench.cells import MANY, Cell
from bench.growth import Growth
from bench.peak import Trial
from bench.results import Results, ratio, shown
from bench.soak import Soak
from bench.targets import Target, targets, total_cpu

MARKS = {"aim": "aim reached", "reached": "reached", "missed": "**missed**", "no target": ""}
MOMENTS = 6  # of the soak that are shown


def tables(found: Results) -> Iterator[str]:
    """Of all that was measured."""
    if measured := [target for target in targets(found) if target.values]:
        heads = ["", "figures", "ratio", "at least", "aim", "verdict"]
        yield _table("Against the targets", heads, [_verdict(target) for target in measured])
    if found.windows:
        yield _loads(found)
        yield _cpu(found)
    if found.trials:
        yield _peak(found.trials)
    if found.soak:
        yield _soak(found.soak)
    if found.growth:
        yield _pages(found.growth)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join([f"### {title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def _verdict(target: Target) -> list[str]:
    measured, bounds = shown(target.values, 0 if target.least == 0 else 2) + target.unit, ["", ""]
    if target.least is not None and target.aim is not None:
        sign = "≤ " if target.aim < target.least else ""
        bounds = [f"{sign}{value:g}{target.unit}" for value in (target.least, target.aim)]
    return [target.name, target.figures, measured, *bounds, MARKS[target.verdict]]


def _loads(found: Results) -> str:
    heads = [
        "load",
        "clients",
        "a second",
        ": no-op, 128 clients",
        "p50 ms",
        "p99 ms",
        "other answers",
        "wrk, of a core",
    ]
    return _table("Every load", heads, (_load(found, cell) for cell in found.windows))


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
        shown([window.wrk_seconds / window.seconds for window in windows], 2),
    ]


def _cpu(found: Results) -> str:
    """Where the time goes: of each process the median of the rounds, and so of their sum."""
    loads = {cell: ws for cell, ws in found.windows.items() if cell.subject != "static" and cell.clients == MANY}
    costs = [{"together": [total_cpu(w) for w in ws]} for ws in loads.values()]
    for cost, windows in zip(costs, loads.values(), strict=True):
        for window in windows:
            for name, spent in window.cpu_ms.items():
                cost.setdefault(name, []).append(spent)
    names = dict.fromkeys(name for cost in costs for name in cost)
    rows = ([name, *(_per_thousand(cost.get(name, [])) for cost in costs)] for name in names)
    title = "CPU milliseconds per 1,000 good answers and what follows them, 128 clients (`together` without wrk)"
    return _table(title, ["process", *(cell.load for cell in loads)], rows)


def _per_thousand(costs: list[float]) -> str:
    return f"{1000 * median(costs):,.0f}" if costs else ""


def _peak(trials: Sequence[Trial]) -> str:
    heads = ["asked for a second", "placed a second", "unfinished at the end", "growing by a second", "backlog"]
    rows = (
        _row(
            f"{trial.asked:,.0f}" if trial.asked else "all that goes",
            (trial.rate, trial.unfinished, trial.growth_per_second),
            "bounded" if trial.bounded else "grows",
        )
        for trial in trials
    )
    return _table("The peak", heads, rows)


def _row(name: str, values: Iterable[float], *more: str) -> list[str]:
    return [name, *(f"{value:,.0f}" for value in values), *more]


def _soak(soak: Soak) -> str:
    """A few moments, from the end of the first tenth on: until then the pipeline fills."""
    last = len(soak.samples) - 1
    some = [soak.samples[last // 10 + n * (last - last // 10) // (MOMENTS - 1)] for n in range(MOMENTS)]
    rows = [
        _row("orders unfinished", (sample.backlog.unfinished for sample in some)),
        _row("batches in the outboxes", (sample.backlog.outbox for sample in some)),
        _row("age of the oldest stream entry, s", (sample.backlog.stream_seconds for sample in some)),
    ]
    rows += [_row(f"memory of {name}, MiB", (s.memory_mb[name] for s in some)) for name in some[0].memory_mb]
    return _table("The soak", ["after", *(f"{sample.at:.0f} s" for sample in some)], rows)


def _pages(growth: Growth) -> str:
    rows = ([name, shown([window.p50_ms for window in windows], 2)] for name, windows in growth.pages.items())
    title = f"Pages of 100 orders, of {growth.orders:,} (`empty`: of an empty system)"
    return _table(title, ["page", "median ms"], rows)
