"""The stock proof: stock = sum of its movements, and what movements took = what reservations hold.

Of what reservations hold, what counts towards a limit per customer = what is counted for the customers.

All tables are read at one moment, so that orders that run meanwhile raise no alarm.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Row, TextClause, bindparam, case, func, select, text

from catalog.model import ReservationState, products, reservations, stock_movements
from contracts.reservations import OUTCOME, Difference, HeldLines, HoldersAnswer, Line, StockProof

AT_ONCE = 50_000  # ids a statement: it stays far below the database's read time-out, however large a table gets


def prove(connection: Connection) -> StockProof:
    """In pieces, which are one consistent answer only in REPEATABLE READ."""
    moved, taken = Counter[int](), Counter[int]()
    for row in pieces(connection, MOVED, stock_movements.c.id):
        moved[row.product_id] += int(row.total)
        taken[row.product_id] += int(row.taken)
    held_, counting = Counter[int](), Counter[int]()
    for row in pieces(connection, HELD_UNITS, reservations.c.order_id):
        held_[row.product_id] += int(row.quantity)
        counting[row.product_id] += int(row.counting)
    products_ = 0
    differences: list[Difference] = []
    for row in pieces(connection, STOCKS, products.c.id):
        products_ += 1
        says = {"stock": row.stock, "movements": moved[row.id], "taken": taken[row.id], "held": held_[row.id]}
        if says["stock"] != says["movements"] or says["taken"] != says["held"]:
            differences.append(Difference(about=f"product {row.id}", says=says))
    differences += _miscounted(counting, _counted(connection))
    return StockProof(products=products_, differences=differences)


def _miscounted(counting: Counter[int], counted: Counter[int]) -> Iterator[Difference]:
    for product_id in sorted(counting.keys() | counted.keys()):
        says: dict[str, int | str | None] = {"counting": counting[product_id], "counted": counted[product_id]}
        if says["counting"] != says["counted"]:
            yield Difference(about=f"product {product_id}", says=says)


def _counted(connection: Connection) -> Counter[int]:
    """What is counted for customers, by product."""
    counted = Counter[int]()
    after: dict[str, Any] = {"product": 0, "epoch": 0, "customer": b""}
    while rows := connection.execute(NEXT_COUNTED, {**after, "limit": AT_ONCE}).all():
        for row in rows:
            counted[row.product] += row.held
        after = {name: getattr(rows[-1], name) for name in after}
    return counted


def pieces(connection: Connection, statement: TextClause, id_: Column[int]) -> Iterator[Row[Any]]:
    """The rows of `statement` for one range of ids after the other; gaps are stepped over."""
    upto = 0
    while (first := connection.execute(select(func.min(id_)).where(id_ > upto)).scalar()) is not None:
        upto = first - 1 + AT_ONCE
        yield from connection.execute(statement, {"after": first - 1, "upto": upto})


MOVED = text(
    """
    SELECT product_id, SUM(delta) AS total, -SUM(IF(kind IN ('reservation', 'release'), delta, 0)) AS taken
    FROM stock_movements FORCE INDEX (PRIMARY) WHERE id > :after AND id <= :upto GROUP BY product_id
    """
)
HELD_UNITS = text(
    """
    SELECT line.product_id, SUM(line.quantity) AS quantity, SUM(IF(line.epoch IS NULL, 0, line.quantity)) AS counting
    FROM reservations, JSON_TABLE(reservations.outcome, '$.lines[*]' COLUMNS (
        product_id BIGINT PATH '$.product_id', quantity BIGINT PATH '$.quantity', epoch BIGINT PATH '$.limit_epoch'
    )) AS line
    WHERE reservations.order_id > :after AND reservations.order_id <= :upto AND reservations.state = 'held'
    GROUP BY line.product_id
    """
)
# The primary key has three parts, and none of them alone makes pieces of a bounded size.
NEXT_COUNTED = text(
    """
    SELECT product_id AS product, limit_epoch AS epoch, customer, held FROM customer_purchases FORCE INDEX (PRIMARY)
    WHERE product_id > :product
    OR (product_id = :product AND (limit_epoch > :epoch OR (limit_epoch = :epoch AND customer > :customer)))
    ORDER BY product_id, limit_epoch, customer LIMIT :limit
    """
)
STOCKS = text("SELECT id, stock FROM products WHERE id > :after AND id <= :upto")


def held(connection: Connection, order_ids: Sequence[int]) -> list[HeldLines]:
    """What is held for each of these orders, in the order asked."""
    rows = connection.execute(HELD, {"ids": list(order_ids), "held": ReservationState.HELD})
    lines = {row.order_id: _lines(row.outcome) for row in rows}
    return [HeldLines(order_id=id_, lines=lines.get(id_, [])) for id_ in order_ids]


def holders(connection: Connection, after: int, limit: int) -> HoldersAnswer:
    """What is held by the next `limit` reservations. Those that hold nothing count too: a page might step over millions."""
    rows = connection.execute(NEXT, {"after": after, "held": ReservationState.HELD, "limit": limit}).all()
    found = [HeldLines(order_id=row.order_id, lines=_lines(row.held)) for row in rows if row.held is not None]
    return HoldersAnswer(reservations=found, through=rows[-1].order_id if rows else None)


def _lines(outcome: str) -> list[Line]:
    return [Line(line.product_id, line.quantity) for line in OUTCOME.validate_json(outcome).lines]


HELD = select(reservations.c.order_id, reservations.c.outcome).where(
    reservations.c.order_id.in_(bindparam("ids", expanding=True)), reservations.c.state == bindparam("held")
)
NEXT = (
    select(
        reservations.c.order_id,
        case((reservations.c.state == bindparam("held"), reservations.c.outcome)).label("held"),
    )
    .where(reservations.c.order_id > bindparam("after"))
    .order_by(reservations.c.order_id)
    .limit(bindparam("limit"))
)
