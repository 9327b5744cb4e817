"""The invariants: each a function that gives the sentences of what breaks it, and an empty list when nothing does.

Those of one moment hold at all times, also under load and in the middle of a fault. Those of the end hold once everything
has settled.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from faults.ledger import FINAL, Ledger, Wait
from faults.snapshot import Movement, Snapshot

HOLDING = frozenset({"placed", "failed", "cancelling", "fulfilled"})
SHOWN = 5
HELD_UP_SECONDS = 2.5

# What a reservation may be in while its order is in a state. None stands for no reservation.
MAY_BE: dict[str, set[str | None]] = {
    "pending": {None, "held", "refused"},
    "rejected": {"refused"},
    "releasing": {"held", "released"},
    "cancelled": {"released"},
    **{state: {"held"} for state in HOLDING},
}


def at_any_moment(now: Snapshot) -> list[str]:
    rules: list[Callable[[Snapshot], Iterable[str]]] = [
        stock_is_the_sum_of_its_movements,
        stock_and_held_make_up_what_came_in,
        stock_is_never_negative,
        reservations_match_their_orders,
        movements_match_reservations,
        one_key_one_order,
        one_completion_each,
    ]
    return [sentence for rule in rules for sentence in _first(rule(now))]


def at_the_end(now: Snapshot, ledger: Ledger, effects: Counter[int]) -> list[str]:
    found = [
        nothing_shipped_is_cancelled(now, ledger, effects),
        effects_happened_once_a_try(now, effects),
        what_was_not_accepted_is_not_there(now, ledger),
        redriven_orders_did_not_stay_failed(now, ledger),
        early_cancels_came_in_time(now, ledger),
        too_late_was_true(now, ledger),
        acknowledged_orders_exist_and_ended(now, ledger),
        orders_are_known_to_a_client(now, ledger),
        refusals_are_recorded(now, ledger),
        adjustments_count_once(now, ledger),
        flash_sales_sold_out(now, ledger),
        outcomes_agree(now),
        effects_agree(now, effects),
    ]
    return at_any_moment(now) + [sentence for sentences in found for sentence in _first(sentences)]


def _first(sentences: Iterable[str]) -> list[str]:
    """Enough to see what it is; a thousand orders of the same kind say no more."""
    listed = list(sentences)
    more = [f"… and {len(listed) - SHOWN} more like it"] if len(listed) > SHOWN else []
    return listed[:SHOWN] + more


def stock_is_the_sum_of_its_movements(now: Snapshot) -> list[str]:
    sums = _sums(now.movements)
    return [
        f"product {id_}: stock {stock}, movements {sums[id_]}"
        for id_, stock in now.stocks.items()
        if stock != sums[id_]
    ]


def stock_and_held_make_up_what_came_in(now: Snapshot) -> list[str]:
    came_in = _sums(movement for movement in now.movements if movement.kind in {"initial", "adjustment"})
    held: Counter[int] = Counter()
    for reservation in now.reservations.values():
        if reservation.state == "held":
            for product_id, quantity in reservation.lines:
                held[product_id] += quantity
    return [
        f"product {id_}: stock {stock} + held {held[id_]} is not {came_in[id_]}"
        for id_, stock in now.stocks.items()
        if stock + held[id_] != came_in[id_]
    ]


def stock_is_never_negative(now: Snapshot) -> list[str]:
    """Every movement tells what the stock came to, so this is about all times."""
    return [
        f"product {movement.product_id} had a stock of {movement.stock}"
        for movement in now.movements
        if movement.stock < 0
    ]


def reservations_match_their_orders(now: Snapshot) -> list[str]:
    found = []
    for order in now.orders.values():
        reservation = now.reservations.get(order.id)
        state = reservation.state if reservation else None
        if state not in MAY_BE[order.state]:
            found.append(f"order {order.id} is {order.state}, its reservation {state}")
        elif reservation is not None and reservation.lines != order.lines:
            found.append(f"order {order.id} has other lines than its reservation")
    return found + [
        f"a reservation for order {id_}, which isn't there" for id_ in now.reservations.keys() - now.orders.keys()
    ]


def movements_match_reservations(now: Snapshot) -> list[str]:
    """Stock goes out once for what is held or was, and comes back once for what was released."""
    moved: defaultdict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for movement in now.movements:
        if movement.order_id is not None:
            moved[movement.kind, movement.order_id].append((movement.product_id, movement.delta))
    expected: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for id_, reservation in now.reservations.items():
        if reservation.state != "refused":
            expected["reservation", id_] = [(product, -quantity) for product, quantity in reservation.lines]
        if reservation.state == "released":
            expected["release", id_] = list(reservation.lines)
    return [
        f"order {id_}: {kind} moved {moved.get((kind, id_), [])}, not {expected.get((kind, id_), [])}"
        for kind, id_ in moved.keys() | expected.keys()
        if sorted(moved.get((kind, id_), [])) != sorted(expected.get((kind, id_), []))
    ]


def one_key_one_order(now: Snapshot) -> list[str]:
    times = Counter(order.key for order in now.orders.values())
    return [f"key {key} has {count} orders" for key, count in times.items() if count > 1]


def one_completion_each(now: Snapshot) -> list[str]:
    return [
        f"order {order.id} is {order.state} and was completed {now.completions[order.id]} times"
        for order in now.orders.values()
        if now.completions[order.id] != (order.state == "fulfilled")
    ]


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


def outcomes_agree(now: Snapshot) -> list[str]:
    """Ordering and fulfilment tell the same story."""
    return [
        f"order {order.id} is {order.state}, its fulfilment {now.fulfilments.get(order.id)}"
        for order in now.orders.values()
        if now.fulfilments.get(order.id) not in _told_alike(order.state)
    ]


def _told_alike(state: str) -> set[str | None]:
    if state == "rejected":
        return {None}
    return {"failed", "failed_late"} if state == "failed" else {state}


def effects_agree(now: Snapshot, effects: Counter[int]) -> list[str]:
    """The step's outside effect happened for what is fulfilled. What failed past its point of no return may have had it."""
    found = [
        f"order {order.id} is {order.state} and never shipped"
        for order in now.orders.values()
        if order.state == "fulfilled" and not effects[order.id]
    ]
    found += [
        f"order {order.id} is {order.state} and shipped"
        for order in now.orders.values()
        if effects[order.id] and (order.state == "rejected" or now.fulfilments.get(order.id) == "failed")
    ]
    return found + [f"order {id_} was shipped and isn't there" for id_ in effects.keys() - now.orders.keys()]


def _sums(movements: Iterable[Movement]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for movement in movements:
        sums[movement.product_id] += movement.delta
    return sums


def nothing_shipped_is_cancelled(now: Snapshot, ledger: Ledger, effects: Counter[int]) -> list[str]:
    """At any moment, if the effects were read before the snapshot was taken. By force a person may, who knows."""
    return [
        f"order {order.id} is {order.state} and shipped"
        for order in now.orders.values()
        if effects[order.id] and order.state in {"releasing", "cancelled"} and order.id not in ledger.forced
    ]


def effects_happened_once_a_try(now: Snapshot, effects: Counter[int]) -> list[str]:
    return [
        f"order {id_} was shipped {count} times in {now.tries[id_] + 1} tries"
        for id_, count in effects.items()
        if count > now.tries[id_] + 1
    ]


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
