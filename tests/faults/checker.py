"""The invariants: each a function that gives the sentences of what breaks it, and an empty list when nothing does.

Those of one moment hold at all times, also under load and in the middle of a fault. Those of the end hold once everything
has settled.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from faults import promises
from faults.ledger import Ledger
from faults.promises import HOLDING
from faults.snapshot import Movement, Order, Snapshot

SHOWN = 5
GIVEN_UP = frozenset({"releasing", "cancelled"})

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
        nothing_shipped_is_cancelled(now.orders.values(), ledger, effects),
        effects_happened_once_a_try(now, effects),
        promises.what_was_not_accepted_is_not_there(now, ledger),
        promises.redriven_orders_did_not_stay_failed(now, ledger),
        promises.early_cancels_came_in_time(now, ledger),
        promises.forced_cancels_were_cancelled(now, ledger),
        promises.too_late_was_true(now, ledger),
        promises.acknowledged_orders_exist_and_ended(now, ledger),
        promises.orders_are_known_to_a_client(now, ledger),
        promises.customers_were_shown_their_own_only(now, ledger),
        promises.refusals_are_recorded(now, ledger),
        promises.adjustments_count_once(now, ledger),
        promises.flash_sales_sold_out(now, ledger),
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
    times = Counter(order.identity for order in now.orders.values())
    return [f"key {key} of {customer} has {count} orders" for (customer, key), count in times.items() if count > 1]


def one_completion_each(now: Snapshot) -> list[str]:
    return [
        f"order {order.id} is {order.state} and was completed {now.completions[order.id]} times"
        for order in now.orders.values()
        if now.completions[order.id] != (order.state == "fulfilled")
    ]


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


def nothing_shipped_is_cancelled(orders: Iterable[Order], ledger: Ledger, effects: Counter[int]) -> list[str]:
    """At any moment, if the effects were read before the orders were. By force a person may, who knows."""
    return [
        f"order {order.id} is {order.state} and shipped"
        for order in orders
        if effects[order.id] and order.state in GIVEN_UP and order.id not in ledger.perhaps_forced
    ]


def effects_happened_once_a_try(now: Snapshot, effects: Counter[int]) -> list[str]:
    """A try that failed before its effect gives no leave for another one; one that was taken over or failed after it does."""
    return [
        f"order {id_} was shipped {count} times, with {now.repeats[id_]} tries that may have shipped before the last"
        for id_, count in effects.items()
        if count > now.repeats[id_] + 1
    ]
