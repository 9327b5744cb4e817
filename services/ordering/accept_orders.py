"""Accepting orders: key and pending order are one row, whoever comes with the key joins, and one locked key stops no other."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select, text

from chassis.database.rows import folded, insert
from chassis.database.transactions import Database, Locked, telling_locks
from chassis.problems import Unavailable, Unprocessable
from chassis.web.idempotency import require_same
from contracts.reservations import Line
from ordering.model import State, orders
from ordering.orders import BY_IDS, Order, fetch, pending_order

Identity = tuple[bytes, bytes]  # the request key and whose it is

HELD_SECONDS = 5.0  # a frozen process is let go of by the database after twice that


@dataclass(frozen=True)
class NewOrder:
    key: str
    fingerprint: bytes
    lines: Sequence[Line]
    expected_total: Decimal | None = None
    customer: str = ""
    request_id: str | None = None

    @property
    def identity(self) -> Identity:
        return self.key.encode(), self.customer.encode()


class PerhapsAccepted(Unavailable):
    """503: accepting was under way when time was up or the database went away. Only its key tells whether the order exists."""

    def __init__(self, new: NewOrder) -> None:
        super().__init__(
            "It is not known whether the order was accepted; ask again with its Idempotency-Key",
            idempotency_key=new.key,
        )


class Accepting:
    """Accepts batches.

    An insert can't step over a lock, so a key that another process holds makes its whole batch wait. That happens once: then
    such keys are looked for, and left out for a while.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held_until: dict[Identity, float] = {}

    async def __call__(self, wanted: Sequence[NewOrder]) -> list[Order | Unprocessable | Unavailable]:
        try:
            return await self._accept_free(wanted)
        except Locked:
            now = time.monotonic()
            held = await self._database.run(held_keys, [new.identity for new in wanted])
            known = {key: until for key, until in self._held_until.items() if until > now}
            self._held_until = known | dict.fromkeys(held, now + HELD_SECONDS)
            return await self._accept_free(wanted)

    async def _accept_free(self, wanted: Sequence[NewOrder]) -> list[Order | Unprocessable | Unavailable]:
        now = time.monotonic()
        is_free = [self._held_until.get(new.identity, -math.inf) < now for new in wanted]
        free = [new for new, is_ in zip(wanted, is_free, strict=True) if is_]
        accepted = iter(await self._database.run(accept, free) if free else [])
        return [next(accepted) if is_ else PerhapsAccepted(new) for new, is_ in zip(wanted, is_free, strict=True)]


def held_keys(connection: Connection, keys: Sequence[Identity]) -> list[Identity]:
    """Those whose rows, committed or not, another transaction holds locked. Asked one by one: no statement tells of many."""
    return [key for key in dict.fromkeys(keys) if _is_held(connection, key)]


def _is_held(connection: Connection, identity: Identity) -> bool:
    key, customer = identity
    try:
        with telling_locks():
            connection.execute(TRY_LOCK, {"key": key, "customer": customer})
    except Locked:
        return True
    return False


TRY_LOCK = (
    select(orders.c.id)
    .where(orders.c.request_key == bindparam("key"), orders.c.customer == bindparam("customer"))
    .with_for_update(nowait=True)
)


def accept(connection: Connection, wanted: Sequence[NewOrder]) -> list[Order | Unprocessable]:
    """One pending order per key, whoever came first; another body under a key that is taken is Unprocessable."""
    rows = [
        {
            "request_key": new.key.encode(),
            "customer": new.customer.encode(),
            "fingerprint": new.fingerprint,
            "state": State.PENDING,
            "items": [{"product_id": line.product_id, "quantity": line.quantity} for line in new.lines],
            "expected_total": new.expected_total,
            "request_id": new.request_id,
        }
        for new in wanted
    ]
    # INSERT first: two that look before they insert both find nothing. The loser waits for the winner's commit and then,
    # in READ COMMITTED, reads its row.
    with telling_locks():
        insert(connection, orders, rows, keep_first=True)
    found = _found(connection, wanted)
    decided = [row.id for row in found.values() if row.state is not State.PENDING]
    orders_ = {order.id: order for order in fetch(connection, BY_IDS, ids=decided)} if decided else {}
    return [_joined(new, found[new.identity], orders_) for new in wanted]


class Found(NamedTuple):
    """As much of a row as tells whether it is what was inserted."""

    id: int
    fingerprint: bytes
    state: State
    created_at: datetime
    request_id: str | None


def _found(connection: Connection, wanted: Sequence[NewOrder]) -> dict[Identity, Found]:
    identities = [{"request_key": key, "customer": customer} for key, customer in (new.identity for new in wanted)]
    rows = map(orjson.loads, connection.execute(BY_IDENTITIES, {"wanted": folded(identities)}).scalars())
    return {
        (bytes.fromhex(key), bytes.fromhex(customer)): Found(
            id_, bytes.fromhex(fingerprint), State(state), datetime.fromisoformat(created_at), request_id
        )
        for key, customer, id_, fingerprint, state, created_at, request_id in rows
    }


# A row of the index for each. By keys alone it would be as many as there are customers who once used one, and "1" is a
# likely key.
BY_IDENTITIES = text(
    "SELECT JSON_ARRAY(HEX(orders.request_key), HEX(orders.customer), orders.id, HEX(orders.fingerprint), orders.state, "
    "CAST(orders.created_at AS CHAR), orders.request_id) "
    "FROM JSON_TABLE(:wanted, '$[*]' COLUMNS (request_key VARCHAR(510) PATH '$.request_key', "
    "customer VARCHAR(256) PATH '$.customer')) AS wanted "
    "STRAIGHT_JOIN orders FORCE INDEX (request_key) "
    "ON orders.request_key = UNHEX(wanted.request_key) AND orders.customer = UNHEX(wanted.customer)"
)


def _joined(new: NewOrder, found: Found, decided: Mapping[int, Order]) -> Order | Unprocessable:
    """The order under the key of `new`. While it is pending it is what was asked for, so it need not be read."""
    try:
        require_same(found.fingerprint, new.fingerprint)
    except Unprocessable as error:
        return error
    return decided.get(found.id) or pending_order(
        found.id,
        new.key,
        new.customer,
        new.fingerprint,
        new.lines,
        new.expected_total,
        found.created_at,
        found.request_id,
    )
