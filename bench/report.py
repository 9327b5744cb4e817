"""Writing a run down: on the terminal, as JSON, and as the generated part of docs/performance.md."""

import json
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bench.results import Results
from bench.tables import tables
from local.errors import LocalError

BEGIN, END = "<!-- figures: written by ./justw bench -->", "<!-- end of figures -->"


def print_to(console: Console, found: Results) -> None:
    console.print(Markdown(_figures(found)))


def write(found: Results, into: Path) -> Path:
    """Every window of the run as results.json, and its figures as a page of their own."""
    into.mkdir(parents=True, exist_ok=True)
    data = vars(found) | {"windows": {str(cell): windows for cell, windows in found.windows.items()}}
    (into / "results.json").write_text(json.dumps(data, indent=1, default=vars) + "\n")
    (into / "figures.md").write_text(f"{_figures(found)}\n")
    return into


def write_figures(found: Results, page: Path) -> Path:
    """The figures in place of those on the page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LocalError(f"{page} has no place for figures: {BEGIN} and {END} are missing.")
    page.write_text(f"{before}{BEGIN}\n\n{_figures(found)}\n\n{END}{after}")
    return page


def _figures(found: Results) -> str:
    about = "; ".join(f"{name}: {value}" for name, value in found.about.items())
    return "\n\n".join([f"{about}.", *tables(found)])
