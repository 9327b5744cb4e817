"""A few orders taken through all three services by their own functions, without processes: something true to be spoilt."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import orjson

from catalog import manage_products, reserve_stock
from chassis.database.transactions import Database
from chassis.web.access import EVERYBODY
from chassis.web.idempotency import fingerprint
from contracts.batches import unseal
from contracts.events import fulfilment_events, ordering_events
from contracts.reservations import OUTCOME, Line
from faults.ledger import Adjustment, Answer, Ledger, Placement
from fulfilment.fulfil_orders import complete
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import outbox as fulfilment_outbox
from fulfilment.take_over import owned, still_owned
from fulfilment.worker import receive
from harness.schemas import Schema
from ordering.accept_orders import NewOrder, accept
from ordering.cancel_order import cancel
from ordering.model import outbox as ordering_outbox
from ordering.orders import Order
from ordering.place_orders import Verdict, decide_pending
from ordering.release_stock import released
from ordering.worker import follow

OWNER = "a" * 32


@dataclass
class SmallWorld:
    catalog: Database
    ordering: Database
    fulfilment: Database

    @classmethod
    def of(cls, catalog: Schema, ordering: Schema, fulfilment: Schema) -> "SmallWorld":
        return cls(*(Database(schema.url, connections=1) for schema in (catalog, ordering, fulfilment)))

    def close(self) -> None:
        for database in (self.catalog, self.ordering, self.fulfilment):
            database.close()

    def product(self, stock: int) -> int:
        create = partial(manage_products.create, name="thing", price=Decimal("1.00"), stock=stock)
        return self.catalog.transact(create).product.id

    def accept(self, key: str, product_id: int, quantity: int) -> Order:
        line = Line(product_id=product_id, quantity=quantity)
        [order] = self.ordering.transact(accept, [NewOrder(key, fingerprint(key), [line])])
        assert isinstance(order, Order)
        return order

    def place(self, key: str, product_id: int, quantity: int) -> Order:
        order = self.accept(key, product_id, quantity)
        [outcome] = self.catalog.transact(reserve_stock.reserve, [order.reservation()])
        assert outcome is not None
        [decided] = self.ordering.transact(decide_pending, [Verdict(order, OUTCOME.validate_json(outcome))])
        return decided

    def announce(self) -> list[Fulfilment]:
        """What waits in ordering's outbox reaches fulfilment."""
        waiting = self.ordering.transact(ordering_outbox.claim_new, 100)
        events = [ordering_events.event(orjson.dumps(event)) for batch in waiting for event in unseal(batch.payload)]
        taken, _ = self.fulfilment.transact(receive, events, OWNER)
        self.ordering.transact(ordering_outbox.remove, [row.id for row in waiting] or [0])
        return taken

    def fulfil(self) -> None:
        self.fulfilment.transact(complete, self.announce())
        self.answer()

    def cancel(self, order: Order) -> None:
        """Before fulfilment has done anything about it but take it."""
        self.announce()
        self.ordering.transact(cancel, order.id, EVERYBODY)
        self.announce()
        self.answer()
        self.ordering.transact(released, self.catalog.transact(reserve_stock.release, [order.id]))

    def answer(self) -> None:
        """What waits in fulfilment's outbox reaches ordering."""
        waiting = self.fulfilment.transact(fulfilment_outbox.claim_new, 100)
        self.ordering.transact(
            follow,
            [fulfilment_events.event(orjson.dumps(event)) for batch in waiting for event in unseal(batch.payload)],
        )
        self.fulfilment.transact(fulfilment_outbox.remove, [row.id for row in waiting] or [0])


def an_honest_day(world: SmallWorld) -> tuple[Ledger, Counter[int]]:
    """Order 1 is fulfilled, 2 cancelled, 3 and 4 get the flash sale's two units, 5 comes too late for it."""
    thing, flash = world.product(10), world.product(2)
    orders = [world.place("one", thing, 3), world.place("two", thing, 1)]
    world.cancel(orders[1])
    orders += [world.place(key, flash, 1) for key in ("three", "four", "five")]
    world.fulfil()
    _fulfil_what_was_announced_before(world)
    world.catalog.transact(partial(manage_products.adjust, product_id=thing, delta=5, reason="found"))
    ledger = Ledger(flash_sales={flash: 2}, adjustments=[Adjustment(thing, 5, "found", applied=True)])
    for order in orders:
        lines = [(item.product_id, item.quantity) for item in order.items]
        placement = Placement(order.request_key.decode(), lines)
        ledger.placements[placement.key] = placement
        status = 400 if order.state == "rejected" else 201
        ledger.answered(placement, Answer(status, orjson.dumps({"id": order.id})), order.id)
    return ledger, Counter({1: 1, 3: 1, 4: 1})


def _fulfil_what_was_announced_before(world: SmallWorld) -> None:
    left = world.fulfilment.transact(owned, OWNER)
    world.fulfilment.transact(complete, world.fulfilment.transact(still_owned, OWNER, left))
    world.answer()
