"""What clients were told, against what became of it: each a function that gives the sentences of what was not kept."""

import time
from collections import Counter
from collections.abc import Iterable

from faults.ledger import FINAL, Ledger, Wait
from faults.snapshot import Snapshot

HOLDING = frozenset({"placed", "failed", "cancelling", "fulfilled"})
HELD_UP_SECONDS = 2.0  # longer than anybody waited just before: a busy machine makes all wait
BEFORE_SECONDS = 5.0


def acknowledged_orders_exist_and_ended(now: Snapshot, ledger: Ledger) -> list[str]:
    found = []
    for placement in ledger.acknowledged:
        order = now.orders.get(placement.order_id or 0)
        if order is None:
            found.append(f"order {placement.order_id} was acknowledged and is gone")
        elif order.identity != placement.identity or order.lines != frozenset(placement.lines):
            found.append(f"order {order.id} is not what was acknowledged under key {placement.key}")
        elif order.state not in FINAL - {"rejected"}:
            found.append(f"order {order.id} was acknowledged and ended {order.state}")
    return found


def orders_are_known_to_a_client(now: Snapshot, ledger: Ledger) -> list[str]:
    """Acknowledged, refused, or left unknown: nobody orders but the clients."""
    found = []
    for order in now.orders.values():
        placement = ledger.placements.get(order.identity)
        if placement is None:
            found.append(f"order {order.id} of {order.customer} has a key that nobody sent: {order.key}")
        elif order.state not in FINAL:
            found.append(f"order {order.id} is still {order.state}")
        elif order.state == "rejected" and placement.acknowledged:
            found.append(f"order {order.id} was acknowledged and is rejected")
    return found


def refusals_are_recorded(now: Snapshot, ledger: Ledger) -> list[str]:
    states = {order.identity: order.state for order in now.orders.values()}
    return [
        f"key {placement.key} was refused, its order is {states.get(placement.identity)}"
        for placement in ledger.refused
        if states.get(placement.identity) != "rejected"
    ]


def customers_were_shown_their_own_only(now: Snapshot, ledger: Ledger) -> list[str]:
    """In lists, one by one, or by being able to do something to it."""
    return [
        f"order {id_} of {now.orders[id_].customer} was shown to {customer}"
        for customer, id_ in sorted(ledger.shown)
        if id_ in now.orders and now.orders[id_].customer != customer
    ]


def adjustments_count_once(now: Snapshot, ledger: Ledger) -> list[str]:
    times = Counter((movement.product_id, movement.delta, movement.reason) for movement in now.movements)
    found = []
    for one in ledger.adjustments:
        count = times[one.product_id, one.delta, one.reason]
        if count > 1 or (one.applied is not None and count != one.applied):
            found.append(f"adjustment {one.reason} was applied {count} times, the client was told {one.applied}")
    return found


def flash_sales_sold_out(now: Snapshot, ledger: Ledger) -> list[str]:
    """Exactly as many as there were, when more were wanted; and nobody is refused while one is left."""
    found = []
    for product_id, stock in ledger.flash_sales.items():
        states = [order.state for order in now.orders.values() if (product_id, 1) in order.lines]
        sold = sum(state in HOLDING for state in states)
        if sold != min(stock, len(states)) or now.stocks[product_id] != stock - sold:
            found.append(
                f"flash sale {product_id}: {sold} of {stock} sold, {len(states)} wanted, {now.stocks[product_id]} left"
            )
    return found


def what_was_not_accepted_is_not_there(now: Snapshot, ledger: Ledger) -> list[str]:
    keys = {order.identity: order.id for order in now.orders.values()}
    return [
        f"key {placement.key} was told that its order was not accepted, and there is order {keys[placement.identity]}"
        for placement in ledger.placements.values()
        if placement.sent and placement.not_accepted == placement.sent and placement.identity in keys
    ]


def redriven_orders_did_not_stay_failed(now: Snapshot, ledger: Ledger) -> list[str]:
    """The step of the run fails no more once somebody has looked after it."""
    return [
        f"order {id_} was redriven and is failed"
        for id_ in ledger.redriven
        if id_ in now.orders and now.orders[id_].state == "failed"
    ]


def early_cancels_came_in_time(now: Snapshot, ledger: Ledger) -> list[str]:
    """Those asked for just after the order was placed: all of them while nothing was broken, most of them in a storm."""
    found = []
    for when, calm, most_late in (("while nothing was broken", True, 0.0), ("in storms", False, 0.5)):
        asked = [now.orders[id_] for id_, was in ledger.early_cancels.items() if was is calm and id_ in now.orders]
        late = [order.id for order in asked if order.state not in {"cancelled", "releasing", "cancelling"}]
        if len(late) > most_late * len(asked):
            found.append(
                f"{len(late)} of {len(asked)} early cancels {when} came to nothing, as that of order {late[0]}"
            )
    return found


def forced_cancels_were_cancelled(now: Snapshot, ledger: Ledger) -> list[str]:
    return [
        f"order {id_} was cancelled by force and is {now.orders[id_].state}"
        for id_ in ledger.forced
        if id_ in now.orders and now.orders[id_].state != "cancelled"
    ]


def too_late_was_true(now: Snapshot, ledger: Ledger) -> list[str]:
    """A 409 gives the state that stands in the way. Nothing ever leaves that one, or else it was no reason for good."""
    return [
        f"order {id_} could not be cancelled because it was {said}, and is {now.orders[id_].state}"
        for id_, said in ledger.too_late.items()
        if id_ in now.orders and not (said in {"fulfilled", "rejected"} and now.orders[id_].state == said)
    ]


def held_up(waits: Iterable[Wait], since: float, until: float, product_ids: Iterable[int]) -> list[str]:
    """Who wanted only other products than those locked meanwhile, and waited longer than before, or was refused."""
    locked = set(product_ids)
    others = [wait for wait in waits if since <= wait.since <= until and not wait.product_ids & locked]
    usual = _longest(wait for wait in waits if since - BEFORE_SECONDS <= wait.since < since)
    longer = _longest(others) - usual
    refused = sum(wait.refused for wait in others)
    named = f"while products {sorted(locked)} were locked"
    found = [f"{named} a client of others waited {longer:.1f} s longer"] if longer > HELD_UP_SECONDS else []
    return found + ([f"{named} {refused} clients of others were refused"] if refused else [])


def _longest(waits: Iterable[Wait]) -> float:
    """In seconds; who waits still has waited until now."""
    now = time.monotonic()
    return max(((wait.until or now) - wait.since for wait in waits), default=0.0)
