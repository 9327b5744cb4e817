"""The stock proof: stock = sum of its movements, and what movements took = what reservations hold.

Each is one statement, so it sees one moment even while orders run.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, text

from catalog.model import ReservationState, reservations
from contracts.reservations import Difference, HeldLines, Line, Outcome, StockProof


def prove(connection: Connection) -> StockProof:
    rows = connection.execute(BOOKS).mappings().all()
    differences = [
        Difference(about=f"product {row['id']}", says={name: int(row[name]) for name in row if name != "id"})
        for row in rows
        if row["stock"] != row["movements"] or row["taken"] != row["held"]
    ]
    return StockProof(products=len(rows), differences=differences)


BOOKS = text(
    """
    SELECT products.id, products.stock,
           COALESCE(moved.total, 0) AS movements, COALESCE(moved.taken, 0) AS taken, COALESCE(holding.quantity, 0) AS held
    FROM products
    LEFT JOIN (
        SELECT product_id, SUM(delta) AS total, -SUM(IF(kind IN ('reservation', 'release'), delta, 0)) AS taken
        FROM stock_movements GROUP BY product_id
    ) AS moved ON moved.product_id = products.id
    LEFT JOIN (
        SELECT line.product_id, SUM(line.quantity) AS quantity
        FROM reservations, JSON_TABLE(reservations.outcome, '$.lines[*]' COLUMNS (
            product_id BIGINT PATH '$.product_id', quantity BIGINT PATH '$.quantity'
        )) AS line
        WHERE reservations.state = 'held' GROUP BY line.product_id
    ) AS holding ON holding.product_id = products.id
    """
)


def held(connection: Connection, order_ids: Sequence[int]) -> list[HeldLines]:
    """What is held for each of these orders, in the order asked."""
    rows = connection.execute(HELD, {"ids": list(order_ids), "held": ReservationState.HELD})
    lines = {row.order_id: _lines(row.outcome) for row in rows}
    return [HeldLines(order_id=id_, lines=lines.get(id_, [])) for id_ in order_ids]


def holders(connection: Connection, after: int, limit: int) -> list[HeldLines]:
    """All that is held, page by page."""
    rows = connection.execute(HOLDERS, {"after": after, "held": ReservationState.HELD, "limit": limit})
    return [HeldLines(order_id=row.order_id, lines=_lines(row.outcome)) for row in rows]


def _lines(outcome: str) -> list[Line]:
    decided = Outcome.model_validate_json(outcome)
    return [Line(product_id=line.product_id, quantity=line.quantity) for line in decided.lines]


HOLDING = select(reservations.c.order_id, reservations.c.outcome).where(reservations.c.state == bindparam("held"))
HELD = HOLDING.where(reservations.c.order_id.in_(bindparam("ids", expanding=True)))
HOLDERS = (
    HOLDING.where(reservations.c.order_id > bindparam("after"))
    .order_by(reservations.c.order_id)
    .limit(bindparam("limit"))
)
