"""What clients were told, against what became of it: each a function that gives the sentences of what was not kept."""

from collections import Counter
from collections.abc import Iterable

from faults.ledger import FINAL, Ledger, Wait
from faults.snapshot import Snapshot

HOLDING = frozenset({"placed", "failed", "cancelling", "fulfilled"})
HELD_UP_SECONDS = 2.5


def acknowledged_orders_exist_and_ended(now: Snapshot, ledger: Ledger) -> list[str]:
    found = []
    for placement in ledger.acknowledged:
        order = now.orders.get(placement.order_id or 0)
        if order is None:
            found.append(f"order {placement.order_id} was acknowledged and is gone")
        elif order.key != placement.key or order.lines != frozenset(placement.lines):
            found.append(f"order {order.id} is not what was acknowledged under key {placement.key}")
        elif order.state not in FINAL - {"rejected"}:
            found.append(f"order {order.id} was acknowledged and ended {order.state}")
    return found


def orders_are_known_to_a_client(now: Snapshot, ledger: Ledger) -> list[str]:
    """Acknowledged, refused, or left unknown: nobody orders but the clients."""
    found = []
    for order in now.orders.values():
        placement = ledger.placements.get(order.key)
        if placement is None:
            found.append(f"order {order.id} has a key that nobody sent: {order.key}")
        elif order.state not in FINAL:
            found.append(f"order {order.id} is still {order.state}")
        elif order.state == "rejected" and placement.acknowledged:
            found.append(f"order {order.id} was acknowledged and is rejected")
    return found


def refusals_are_recorded(now: Snapshot, ledger: Ledger) -> list[str]:
    states = {order.key: order.state for order in now.orders.values()}
    return [
        f"key {placement.key} was refused, its order is {states.get(placement.key)}"
        for placement in ledger.refused
        if states.get(placement.key) != "rejected"
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
    keys = {order.key: order.id for order in now.orders.values()}
    return [
        f"key {placement.key} was told that its order was not accepted, and there is order {keys[placement.key]}"
        for placement in ledger.placements.values()
        if placement.sent and placement.not_accepted == placement.sent and placement.key in keys
    ]


def redriven_orders_did_not_stay_failed(now: Snapshot, ledger: Ledger) -> list[str]:
    """The step of the run fails no more once somebody has looked after it."""
    return [
        f"order {id_} was redriven and is failed"
        for id_ in ledger.redriven
        if id_ in now.orders and now.orders[id_].state == "failed"
    ]


def early_cancels_came_in_time(now: Snapshot, ledger: Ledger) -> list[str]:
    """Those asked for just after the order was placed. A storm may hold one up until the step is over, but not most of them."""
    asked = [now.orders[id_] for id_ in ledger.early_cancels if id_ in now.orders]
    late = [order for order in asked if order.state not in {"cancelled", "releasing", "cancelling"}]
    if len(late) * 2 <= len(asked):
        return []
    return [f"{len(late)} of {len(asked)} orders were not cancelled, though that was asked for at once"]


def too_late_was_true(now: Snapshot, ledger: Ledger) -> list[str]:
    return [
        f"order {id_} could not be cancelled because it was {said}, and is {now.orders[id_].state}"
        for id_, said in ledger.too_late.items()
        if said in {"fulfilled", "rejected"} and id_ in now.orders and now.orders[id_].state != said
    ]


def held_up(waits: Iterable[Wait], since: float, until: float, product_ids: Iterable[int]) -> list[str]:
    """Who wanted only other products than those locked meanwhile, and waited for them all the same."""
    locked = set(product_ids)
    longest = max(
        (wait.seconds for wait in waits if since <= wait.since <= until and not wait.product_ids & locked), default=0.0
    )
    if longest <= HELD_UP_SECONDS:
        return []
    return [f"while products {sorted(locked)} were locked a client of others waited {longest:.1f} s"]
