"""The results as tables: on the terminal, and in Markdown."""

from collections import Counter
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.cells import MANY, Cell
from bench.results import Results, Spread, ratio
from bench.targets import Target, targets

MARKS = {"aim": "aim reached", "reached": "reached", "missed": "**missed**", "not measured": "not measured"}


@dataclass(frozen=True)
class Grid:
    title: str
    heads: list[str]
    rows: list[list[str]]


def grids(found: Results) -> list[Grid]:
    grids = [_verdicts(found), _loads(found), _cpu(found), _peak(found), _pages(found), _generator(found)]
    return [grid for grid in grids if grid.rows]


def print_to(console: Console, found: Results) -> None:
    for grid in grids(found):
        table = Table(title=grid.title, title_justify="left")
        for n, head in enumerate(grid.heads):
            table.add_column(head, justify="left" if n == 0 else "right")
        for row in grid.rows:
            table.add_row(*(cell.replace("**", "") for cell in row))
        console.print(table)


def markdown(grid: Grid) -> str:
    heads = [f"| {' | '.join(grid.heads)} |", f"|---|{'---:|' * (len(grid.heads) - 1)}"]
    return "\n".join([f"### {grid.title}", "", *heads, *(f"| {' | '.join(row)} |" for row in grid.rows)])


def _verdicts(found: Results) -> Grid:
    heads = ["", "figures", "ratio", "at least", "aim", "verdict"]
    return Grid("Against the targets", heads, [_verdict(target) for target in targets(found) if target.ratio])


def _verdict(target: Target) -> list[str]:
    digits = 0 if target.is_count else 2
    measured = target.ratio.shown(digits) + target.unit if target.ratio else "-"
    bound = "≤ " if target.aim < target.least else ""
    least, aim = (f"{bound}{value:g}{target.unit}" for value in (target.least, target.aim))
    return [target.name, target.figures, measured, least, aim, MARKS[target.verdict]]


def _loads(found: Results) -> Grid:
    """Each against the no-op of the same round: reads against its GET, all else against its POST."""
    heads = ["load", "clients", "a second", ": no-op, 128 clients", "p50 ms", "p99 ms", "other answers"]
    return Grid("Every load", heads, [_load(found, cell) for cell in found.windows])


def _load(found: Results, cell: Cell) -> list[str]:
    windows = found.windows[cell]
    rates = found.rates(cell.subject, cell.scenario, cell.clients)
    to_noop = ratio(rates, found.rates("noop", "read" if cell.scenario == "read" else "place", MANY))
    others = sum((Counter(window.others(*cell.good)) for window in windows), Counter())
    broken = sum(window.broken for window in windows)
    return [
        f"{cell.subject}, {cell.scenario}",
        f"{cell.clients}",
        Spread(tuple(rates)).shown(0),
        to_noop.shown(3) if to_noop else "-",
        Spread(tuple(window.p50_ms for window in windows)).shown(1),
        Spread(tuple(window.p99_ms for window in windows)).shown(1),
        ", ".join(
            [*(f"{count} x {status}" for status, count in others.items()), *([f"{broken} broken"] * bool(broken))]
        ),
    ]


def _cpu(found: Results) -> Grid:
    """The CPU of every process for a thousand good answers: where the time goes."""
    cells = [cell for cell in found.windows if cell.subject in {"noop", "usual", "ours"} and cell.clients == MANY]
    names = list(dict.fromkeys(name for cell in cells for name in found.windows[cell][0].cores))
    rows = []
    for name in names:
        costs = [_cost(found, cell, name) for cell in cells]
        rows.append([name, *(cost.shown(0) if cost else "" for cost in costs)])
    heads = ["process", *(f"{cell.subject}, {cell.scenario}" for cell in cells)]
    return Grid("CPU milliseconds per 1,000 good answers, 128 clients", heads, rows)


def _cost(found: Results, cell: Cell, name: str) -> Spread | None:
    windows = [window for window in found.windows[cell] if name in window.cores]
    costs = [1e6 * window.cores[name] / window.rate(*cell.good) for window in windows if window.rate(*cell.good)]
    return Spread((Spread(tuple(costs)).median,)) if costs else None


def _peak(found: Results) -> Grid:
    """Rates that were tried; a line that rises is a backlog that grows."""
    rows = [
        [
            f"{trial.asked:,.0f}/s" if trial.asked else "all that goes",
            f"{trial.rate:,.0f}/s",
            f"{trial.unfinished:,}",
            f"{trial.growth_per_second:+,.0f}/s",
            "bounded" if trial.bounded else "grows",
        ]
        for trial in (found.peak.trials if found.peak else [])
    ]
    return Grid("The peak", ["asked for", "placed", "unfinished at the end", "growing by", "backlog"], rows)


def _pages(found: Results) -> Grid:
    if found.growth is None:
        return Grid("", [], [])
    rows = [[name, Spread(tuple(w.p50_ms for w in windows)).shown(2)] for name, windows in found.growth.pages.items()]
    title = f"Pages of 100 orders, of {found.growth.orders:,} (`empty`: of an empty system)"
    return Grid(title, ["page", "median ms"], rows)


def _generator(found: Results) -> Grid:
    """What wrk could ask for, and how much of a core it took while it asked."""
    rows = []
    for cell, windows in found.windows.items():
        if cell.clients == MANY and (cell.subject in {"static", "noop"} or cell.scenario == "read"):
            cores = Spread(tuple(window.cores["wrk"] for window in windows)).shown(2)
            rates = Spread(tuple(found.rates(cell.subject, cell.scenario, cell.clients))).shown(0)
            rows.append([f"{cell.subject}, {cell.scenario}", rates, cores])
    return Grid("The generator is not the bottleneck", ["load", "a second", "wrk's share of a core"], rows)
