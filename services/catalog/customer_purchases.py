"""How much customers hold of products that have a limit.

A row is read and written only while the row of its product is locked, so it needs no lock of its own.
"""

from collections.abc import Collection, Mapping

import orjson
from sqlalchemy import Connection, text

from catalog.decide_reservations import Tally


def purchases(connection: Connection, tallies: Collection[Tally]) -> dict[Tally, int]:
    """Units by tally; one that is not there has none yet.

    A statement of its own, after the one that locks: one that locks and reads sees what was committed before it had the lock.
    """
    if not tallies:
        return {}
    rows = connection.execute(PURCHASES, {"asked": _folded(dict.fromkeys(tallies, 0))})
    return {Tally(row.product_id, row.limit_epoch, row.customer.decode()): row.held for row in rows}


def change(connection: Connection, had: Mapping[Tally, int], by: Mapping[Tally, int]) -> None:
    """`had` is what `purchases` gave for the tallies that are to change."""
    if by:
        held = {tally: had.get(tally, 0) + units for tally, units in by.items()}
        connection.execute(WRITE, {"held": _folded(held)})


def _folded(units: Mapping[Tally, int]) -> str:
    """In the order of the primary key. Customers are bytes, and stand in hex."""
    rows = sorted((*tally[:2], tally.customer.encode().hex(), held) for tally, held in units.items())
    return orjson.dumps(rows).decode()


UNFOLDED = (
    "'$[*]' COLUMNS (product_id BIGINT PATH '$[0]', limit_epoch BIGINT PATH '$[1]', "
    "customer VARCHAR(256) PATH '$[2]', held BIGINT PATH '$[3]')"
)
PURCHASES = text(
    "SELECT counted.product_id, counted.limit_epoch, counted.customer, counted.held "  # noqa: S608 - ours
    f"FROM JSON_TABLE(:asked, {UNFOLDED}) AS asked STRAIGHT_JOIN customer_purchases AS counted FORCE INDEX (PRIMARY) "
    "ON counted.product_id = asked.product_id AND counted.limit_epoch = asked.limit_epoch "
    "AND counted.customer = UNHEX(asked.customer)"
)
WRITE = text(
    "INSERT INTO customer_purchases (product_id, limit_epoch, customer, held) "  # noqa: S608 - ours
    "SELECT counted.product_id, counted.limit_epoch, UNHEX(counted.customer), counted.held "
    f"FROM JSON_TABLE(:held, {UNFOLDED}) AS counted ON DUPLICATE KEY UPDATE held = counted.held"
)
