"""Stock: the only place that locks product rows and changes what they hold.

Every change is: lock the rows by primary key in id order, decide, write stock and movements, in one transaction. One
transaction serves many orders, each of which gets all its lines or none.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    func,
    literal_column,
    select,
    text,
    union_all,
)

from catalog.customer_purchases import change, purchases
from catalog.decide_reservations import COUNTED_LINES, CountedLine, Shelf, Tally, decide, tallied, tallies
from catalog.model import MovementKind, ReservationState, products, reservations, stock_movements
from chassis.database.rows import array_of, insert
from chassis.process.logs import about
from contracts.reservations import RESERVATION, Outcome, Reservation, Result, to_json

log = logging.getLogger(__name__)

Answers = dict[int, tuple[Reservation, bytes]]
Holding = tuple[Reservation, list[CountedLine]]


class Seen(NamedTuple):
    """`answers` are those recorded for order ids: what was decided, and its outcome as JSON. `shelves` are locked."""

    answers: Answers
    shelves: dict[int, Shelf]
    now: datetime


@dataclass
class Movement:
    product_id: int
    kind: MovementKind
    delta: int
    order_id: int | None = None
    reason: str | None = None
    actor: str | None = None


def lock(connection: Connection, product_ids: Iterable[int]) -> dict[int, Shelf]:
    """SELECT … FOR UPDATE, always in id order, whatever the caller's: two buyers of the same two products can't deadlock."""
    ids = sorted(set(product_ids))
    rows = connection.execute(LOCK, {"ids": ids}).scalars() if ids else ()
    return dict(_shelf(*row[1:]) for row in map(orjson.loads, rows))


def _shelf(
    id_: int, price: str, stock: int, version: int, deleted_at: str | None, most: int | None, epoch: int
) -> tuple[int, Shelf]:
    return id_, Shelf(Decimal(price), stock, version, deleted_at is not None, most, epoch)


def _found(kind: str, *columns: ColumnElement[Any]) -> Select[str]:
    """A row as a JSON array that begins with what it is."""
    return select(array_of([literal_column(f"'{kind}'", String), *columns]))


SHELF = ("id", "price", "stock", "version", "deleted_at", "max_per_customer", "limit_epoch")

# ORDER BY alone doesn't set the order in which rows are locked, the access path does: hence the hint.
BY_IDS = (
    _found("product", *(products.c[name] for name in SHELF))
    .where(products.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(products.c.id)
    .with_hint(products, "FORCE INDEX (PRIMARY)")
)
LOCK = BY_IDS.with_for_update()
LOCK_WHAT_IS_FREE = BY_IDS.with_for_update(skip_locked=True)
RECORDED = _found("reservation", reservations.c.order_id, reservations.c.request, reservations.c.outcome).where(
    reservations.c.order_id.in_(bindparam("orders", expanding=True))
)
# All that reserving looks at, in one round trip. What is recorded is read without a lock: a repeat waits for nobody.
LOOK = union_all(RECORDED, LOCK_WHAT_IS_FREE, _found("now", func.now(6)))
EXISTING = select(products.c.id).where(products.c.id.in_(bindparam("ids", expanding=True)))


def move(connection: Connection, shelves: Mapping[int, Shelf], movements: Sequence[Movement]) -> None:
    """Write movements and the stock they come to. `shelves` are locked."""
    stocks: dict[int, int] = {}
    rows: list[dict[str, Any]] = []
    for movement in movements:
        stock = stocks.get(movement.product_id, shelves[movement.product_id].stock) + movement.delta
        stocks[movement.product_id] = stock
        rows.append({**vars(movement), "stock": stock})
    insert(connection, stock_movements, rows)
    if rows:
        connection.execute(WRITE_STOCK, {"stocks": orjson.dumps(sorted(stocks.items())).decode()})


# One statement of constant text for any number of products, written in the order they were locked in. Without the index
# forced, MariaDB scans a table of few rows, and then waits for the locks of products that nobody named.
WRITE_STOCK = text(
    "UPDATE JSON_TABLE(:stocks, '$[*]' COLUMNS (id BIGINT PATH '$[0]', stock BIGINT PATH '$[1]')) AS moved "
    "STRAIGHT_JOIN products FORCE INDEX (PRIMARY) ON products.id = moved.id "
    "SET products.stock = moved.stock, products.version = products.version + 1"
)


def reserve(connection: Connection, wanted: Sequence[Reservation]) -> list[bytes | None]:
    """Decide each reservation once. Outcomes, as JSON, stand in the order asked; a repeat gets the recorded one.

    No product's lock is waited for: a frozen process may hold it for seconds, and this transaction serves many. What somebody
    else holds leaves its orders undecided: None stands there, and they are to be asked for again.

    Twins in two transactions both come to the insert; the later one fails there on the primary key, is rolled back whole
    and runs again, and then finds its twin's outcome.
    """
    answers, shelves, now = _look(connection, wanted)
    new: dict[int, Reservation] = {}
    for asked in wanted:
        if asked.order_id not in answers:
            new.setdefault(asked.order_id, asked)
    if new:
        products_ = {line.product_id for asked in new.values() for line in asked.lines}
        held = _held_by_others(connection, products_ - shelves.keys())
        free = [asked for asked in new.values() if not any(line.product_id in held for line in asked.lines)]
        had = purchases(connection, tallies(free, shelves))
        answers |= _record(connection, free, decide(free, shelves, now, had), shelves, had)
    return [_answer(asked, *answers[asked.order_id]) if asked.order_id in answers else None for asked in wanted]


def _look(connection: Connection, wanted: Sequence[Reservation]) -> Seen:
    ids = sorted({line.product_id for asked in wanted for line in asked.lines})
    orders = [asked.order_id for asked in wanted]
    found: dict[str, list[list[Any]]] = {"reservation": [], "product": [], "now": []}
    for row in connection.execute(LOOK, {"ids": ids, "orders": orders}).scalars():
        kind, *values = orjson.loads(row)
        found[kind].append(values)
    [[now]] = found["now"]
    return Seen(
        {id_: (RESERVATION.validate_json(asked), outcome.encode()) for id_, asked, outcome in found["reservation"]},
        dict(_shelf(*row) for row in found["product"]),
        datetime.fromisoformat(now).replace(tzinfo=UTC),
    )


def _held_by_others(connection: Connection, unlocked: Collection[int]) -> set[int]:
    """Those among the products not locked that do exist."""
    return set(connection.execute(EXISTING, {"ids": sorted(unlocked)}).scalars()) if unlocked else set()


def _record(
    connection: Connection,
    decided: Sequence[Reservation],
    outcomes: Sequence[Outcome],
    shelves: Mapping[int, Shelf],
    had: Mapping[Tally, int],
) -> Answers:
    told = [to_json(outcome) for outcome in outcomes]
    rows = [
        {
            "order_id": outcome.order_id,
            "state": ReservationState.HELD if outcome.result is Result.HELD else ReservationState.REFUSED,
            "request": to_json(asked).decode(),
            "outcome": json.decode(),
        }
        for asked, outcome, json in zip(decided, outcomes, told, strict=True)
    ]
    insert(connection, reservations, rows)
    counted = Counter[Tally]()
    for asked, outcome in zip(decided, outcomes, strict=True):
        if outcome.result is Result.HELD:
            counted.update(tallied(asked.customer, outcome.lines))
    change(connection, had, counted)
    taken = [
        Movement(line.product_id, MovementKind.RESERVATION, -line.quantity, outcome.order_id)
        for outcome in outcomes
        if outcome.result is Result.HELD
        for line in outcome.lines
    ]
    move(connection, shelves, taken)
    return {asked.order_id: (asked, json) for asked, json in zip(decided, told, strict=True)}


def _answer(asked: Reservation, decided: Reservation, outcome: bytes) -> bytes:
    """Compares what was read, not its text: a newer version may write the same request with more fields."""
    if asked == decided:
        return outcome
    log.error(
        "order %d asks for other lines than were decided; nothing was changed",
        asked.order_id,
        extra=about(asked.order_id, asked.request_id),
    )
    return to_json(Outcome(asked.order_id, Result.MISMATCH))


def release(connection: Connection, order_ids: Sequence[int]) -> list[int]:
    """Give back what these orders hold, once. Returns those that hold nothing any more, now or since before."""
    asked = {"ids": sorted(set(order_ids))}
    rows = connection.execute(HOLDERS, asked).all()
    held = [_holding(row.request, row.outcome) for row in rows if row.state == ReservationState.HELD]
    returned = [
        Movement(line.product_id, MovementKind.RELEASE, line.quantity, order.order_id)
        for order, lines in held
        for line in lines
    ]
    move(connection, lock(connection, (movement.product_id for movement in returned)), returned)
    _uncount(connection, held)
    if held:
        gone = reservations.update().where(reservations.c.order_id.in_([order.order_id for order, _ in held]))
        connection.execute(gone.values(state=ReservationState.RELEASED, released_at=func.now(6)))
    return [row.order_id for row in rows]


def _holding(request: str, outcome: str) -> Holding:
    return RESERVATION.validate_json(request), COUNTED_LINES.validate_json(outcome).lines


def _uncount(connection: Connection, held: Sequence[Holding]) -> None:
    """Give back what counted, to where it was counted: the products may have other limits by now, or none."""
    given_back = Counter[Tally]()
    for order, lines in held:
        given_back.subtract(tallied(order.customer, lines))
    change(connection, purchases(connection, given_back), given_back)


HOLDERS = (
    select(reservations.c.order_id, reservations.c.state, reservations.c.request, reservations.c.outcome)
    .where(reservations.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(reservations.c.order_id)
    .with_hint(reservations, "FORCE INDEX (PRIMARY)")
    .with_for_update()
)
