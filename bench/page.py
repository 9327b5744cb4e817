"""Writing a run down: results.json, the plots, and the generated part of docs/performance.md."""

import json
from pathlib import Path

from bench.plots import charts
from bench.results import Results
from bench.tables import grids, markdown
from local.errors import LocalError

BEGIN, END = "<!-- figures: written by ./justw bench -->", "<!-- end of figures -->"


def write_report(found: Results, into: Path) -> Path:
    """Everything into one directory, with a page of its own."""
    _write_data(found, into)
    page = into / "report.md"
    page.write_text(f"{_figures(found, '.')}\n")
    return page


def write_docs(found: Results, page: Path) -> Path:
    """The figures into the page, the rest into the directory of the page's name beside it."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LocalError(f"{page} has no place for figures: {BEGIN} and {END} are missing.")
    _write_data(found, page.with_suffix(""))
    page.write_text(f"{before}{BEGIN}\n\n{_figures(found, page.stem)}\n\n{END}{after}")
    return page


def _write_data(found: Results, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    (into / "results.json").write_text(json.dumps(found.as_json(), indent=1) + "\n")
    for name, chart in charts(found).items():
        (into / f"{name}.svg").write_text(chart.svg())


def _figures(found: Results, folder: str) -> str:
    about = "; ".join(f"{name}: {value}" for name, value in found.about.items())
    plots = [f"![{chart.title}]({folder}/{name}.svg)" for name, chart in charts(found).items()]
    return "\n\n".join([f"{about}.", *(markdown(grid) for grid in grids(found)), *plots])
