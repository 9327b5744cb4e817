"""Answers for people, as tables, or for machines, as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """`rows` whole as JSON, or their `columns` as a table; `empty` is what a person reads when there are none."""
    if as_json:
        print(json.dumps(list(rows), indent=2))  # noqa: T201 - this is the output
        return
    console = Console()
    if not rows:
        console.print(empty)
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
