"""What a refused request may not change: how many rows there are."""

from typing import Any

from harness.engine import MySQLServer

# Rows that only requests make. What workers write at any time, such as the stock that a cancel gives back, isn't among them.
ROWS = {
    "catalog.products": "TRUE",
    "catalog.stock_movements": "kind <> 'release'",
    "catalog.reservations": "state <> 'released'",
    "catalog.idempotency_keys": "TRUE",
    "ordering.orders": "TRUE",
    "ordering.order_steps": "step IN ('cancel_requested', 'redriven')",
}
COUNT = " UNION ALL ".join(f"SELECT COUNT(*) FROM {table} WHERE {condition}" for table, condition in ROWS.items())


class Books:
    """Looked at after each answer. Nobody else may send requests meanwhile."""

    def __init__(self, mysql: MySQLServer) -> None:
        self._mysql = mysql
        self._before = self._count()

    def left_behind(self, status: int, problem: dict[str, Any]) -> list[str]:
        """The tables in which a refusal left rows. An order that stock refuses is kept: its answer names it."""
        now = self._count()
        grown = [table for table in ROWS if now[table] != self._before[table]]
        self._before = now
        return grown if status >= 400 and "order_id" not in problem else []

    def _count(self) -> dict[str, object]:
        return dict(zip(ROWS, (count for (count,) in self._mysql.execute(COUNT)), strict=True))
