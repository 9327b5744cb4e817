"""Deciding who gets what, without a database."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as some

from catalog.decide_reservations import Shelf, Tally, decide
from catalog.tests.factories import an_order
from contracts.reservations import LimitReached, Outcome, Reservation, Result, Shortage

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def a_shelf(
    stock: int = 10, price: str = "10.00", *, deleted: bool = False, limit: int | None = None, epoch: int = 0
) -> Shelf:
    return Shelf(Decimal(price), stock, version=1, deleted=deleted, max_per_customer=limit, limit_epoch=epoch)


def results(outcomes: list[Outcome]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


def test_an_order_gets_all_its_lines_at_the_prices_under_lock() -> None:
    shelves = {1: a_shelf(price="999.99"), 2: a_shelf(price="0.10")}

    [outcome] = decide([an_order(7, (2, 3), (1, 2))], shelves, NOW, {})

    assert outcome.result is Result.HELD
    assert [(line.product_id, line.quantity, line.unit_price) for line in outcome.lines] == [
        (2, 3, Decimal("0.10")),
        (1, 2, Decimal("999.99")),
    ]
    assert outcome.total == Decimal("2000.28")
    assert outcome.decided_at == NOW


def test_the_last_unit_goes_to_whoever_comes_first() -> None:
    outcomes = decide([an_order(9, (1, 1)), an_order(3, (1, 1))], {1: a_shelf(stock=1)}, NOW, {})

    assert results(outcomes) == [Result.HELD, Result.INSUFFICIENT_STOCK]


def test_a_refused_order_leaves_its_other_lines_to_the_next() -> None:
    shelves = {1: a_shelf(stock=5), 2: a_shelf(stock=1)}

    outcomes = decide([an_order(1, (1, 5), (2, 2)), an_order(2, (1, 5))], shelves, NOW, {})

    assert results(outcomes) == [Result.INSUFFICIENT_STOCK, Result.HELD]


def test_shortages_name_each_short_line_and_what_the_orders_before_left() -> None:
    shelves = {1: a_shelf(stock=5), 2: a_shelf(stock=0), 3: a_shelf(stock=9)}

    outcomes = decide([an_order(1, (1, 3)), an_order(2, (1, 3), (2, 1), (3, 9))], shelves, NOW, {})

    assert outcomes[1].shortages == [
        Shortage(product_id=1, requested=3, available=2),
        Shortage(product_id=2, requested=1, available=0),
    ]


def test_an_unknown_and_a_deleted_product_are_missing_alike() -> None:
    [outcome] = decide([an_order(1, (1, 1), (2, 1), (3, 1))], {1: a_shelf(), 2: a_shelf(deleted=True)}, NOW, {})

    assert outcome.result is Result.PRODUCT_NOT_FOUND
    assert outcome.missing == [2, 3]


def test_a_price_that_changed_refuses_the_order_and_says_the_new_total() -> None:
    [outcome] = decide([an_order(1, (1, 2), expected_total="19.98")], {1: a_shelf(price="10.00")}, NOW, {})

    assert outcome.result is Result.PRICE_CHANGED
    assert outcome.total == Decimal("20.00")


def test_the_expected_total_may_be_written_with_fewer_places() -> None:
    [outcome] = decide([an_order(1, (1, 2), expected_total="20")], {1: a_shelf(price="10.00")}, NOW, {})

    assert outcome.result is Result.HELD


def test_a_customer_gets_no_more_than_one_may_have_and_is_told_what_he_has() -> None:
    wanted = [an_order(n, (1, 2), customer="ann") for n in (1, 2)]

    outcomes = decide(wanted, {1: a_shelf(limit=3)}, NOW, {})

    assert results(outcomes) == [Result.HELD, Result.LIMIT_REACHED]
    assert outcomes[1].limits == [LimitReached(1, max_per_customer=3, has=2, requested=2)]


def test_what_was_held_before_counts_for_its_customer_and_its_epoch_alone() -> None:
    had = {Tally(1, 7, "ann"): 2, Tally(1, 6, "bob"): 2, Tally(2, 7, "bob"): 2}
    wanted = [an_order(1, (1, 1), customer="ann"), an_order(2, (1, 1), customer="bob")]

    outcomes = decide(wanted, {1: a_shelf(limit=2, epoch=7)}, NOW, had)

    assert results(outcomes) == [Result.LIMIT_REACHED, Result.HELD]


def test_each_limit_that_is_reached_is_named_even_where_there_is_too_little_as_well() -> None:
    shelves = {1: a_shelf(stock=0, limit=1), 2: a_shelf(limit=1), 3: a_shelf(limit=9)}

    [outcome] = decide([an_order(1, (1, 2), (2, 5), (3, 9), customer="ann")], shelves, NOW, {})

    assert outcome.result is Result.LIMIT_REACHED
    assert [(limit.product_id, limit.requested) for limit in outcome.limits] == [(1, 2), (2, 5)]


def test_who_is_nobody_in_particular_has_no_limit() -> None:
    outcomes = decide([an_order(n, (1, 2)) for n in (1, 2)], {1: a_shelf(limit=1)}, NOW, {})

    assert results(outcomes) == [Result.HELD, Result.HELD]


lines = some.dictionaries(some.integers(1, 4), some.integers(1, 6), min_size=1, max_size=4)
orders = some.lists(some.tuples(lines, some.sampled_from([None, "10.00", "30.00"])), min_size=1, max_size=12).map(
    lambda wanted: [
        an_order(order_id, *items.items(), expected_total=total) for order_id, (items, total) in enumerate(wanted, 1)
    ]
)
stocks = some.fixed_dictionaries({1: some.integers(0, 12), 2: some.integers(0, 12), 3: some.integers(0, 12)})


def taken_by(wanted: list[Reservation], outcomes: list[Outcome]) -> Counter[int]:
    taken: Counter[int] = Counter()
    for asked, outcome in zip(wanted, outcomes, strict=True):
        if outcome.result is Result.HELD:
            taken.update({line.product_id: line.quantity for line in asked.lines})
    return taken


@given(orders, stocks)
def test_never_is_more_sold_than_there_is(wanted: list[Reservation], stock: dict[int, int]) -> None:
    outcomes = decide(wanted, {id_: a_shelf(units) for id_, units in stock.items()}, NOW, {})

    assert all(units <= stock[product_id] for product_id, units in taken_by(wanted, outcomes).items())


@given(orders, stocks)
def test_an_order_holds_exactly_its_lines_or_nothing(wanted: list[Reservation], stock: dict[int, int]) -> None:
    outcomes = decide(wanted, {id_: a_shelf(units) for id_, units in stock.items()}, NOW, {})

    for asked, outcome in zip(wanted, outcomes, strict=True):
        assert outcome.order_id == asked.order_id
        if outcome.result is Result.HELD:
            assert [(line.product_id, line.quantity) for line in outcome.lines] == [
                (line.product_id, line.quantity) for line in asked.lines
            ]
            assert outcome.total == sum(line.quantity * 10 for line in asked.lines)


@given(orders, stocks)
def test_nobody_is_refused_what_the_ones_before_left(wanted: list[Reservation], stock: dict[int, int]) -> None:
    outcomes = decide(wanted, {id_: a_shelf(units) for id_, units in stock.items()}, NOW, {})

    for place, (asked, outcome) in enumerate(zip(wanted, outcomes, strict=True)):
        taken = taken_by(wanted[:place], outcomes[:place])
        left = {id_: units - taken[id_] for id_, units in stock.items()}
        fits = all(left.get(line.product_id, 0) >= line.quantity for line in asked.lines)
        if outcome.result is Result.INSUFFICIENT_STOCK:
            assert not fits
            assert outcome.shortages == [
                Shortage(product_id=line.product_id, requested=line.quantity, available=left[line.product_id])
                for line in asked.lines
                if left[line.product_id] < line.quantity
            ]
        elif outcome.result is Result.HELD:
            assert fits


@given(orders, stocks)
def test_deciding_together_is_deciding_one_after_the_other(wanted: list[Reservation], stock: dict[int, int]) -> None:
    left = dict(stock)
    alone: list[Outcome] = []
    for asked in wanted:
        [outcome] = decide([asked], {id_: a_shelf(units) for id_, units in left.items()}, NOW, {})
        alone.append(outcome)
        for product_id, units in taken_by([asked], [outcome]).items():
            left[product_id] -= units

    together = decide(wanted, {id_: a_shelf(units) for id_, units in stock.items()}, NOW, {})

    assert together == alone


customers = some.lists(some.tuples(some.sampled_from(["", "ann", "bob"]), lines), min_size=1, max_size=12).map(
    lambda wanted: [
        an_order(order_id, *items.items(), customer=customer) for order_id, (customer, items) in enumerate(wanted, 1)
    ]
)
limits = some.fixed_dictionaries({1: some.none() | some.integers(1, 8), 2: some.none() | some.integers(1, 8)})


@given(customers, limits)
def test_nobody_gets_above_a_limit_and_nobody_is_refused_below_it(
    wanted: list[Reservation], limit: dict[int, int | None]
) -> None:
    shelves = {id_: a_shelf(1000, limit=limit.get(id_)) for id_ in (1, 2, 3, 4)}

    outcomes = decide(wanted, shelves, NOW, {})

    has: Counter[tuple[str, int]] = Counter()
    for asked, outcome in zip(wanted, outcomes, strict=True):
        above = [
            LimitReached(line.product_id, most, has[asked.customer, line.product_id], line.quantity)
            for line in asked.lines
            if asked.customer and (most := limit.get(line.product_id)) is not None
            if has[asked.customer, line.product_id] + line.quantity > most
        ]
        assert (outcome.result, outcome.limits) == (Result.LIMIT_REACHED if above else Result.HELD, above)
        if not above:
            has.update({(asked.customer, line.product_id): line.quantity for line in asked.lines})
