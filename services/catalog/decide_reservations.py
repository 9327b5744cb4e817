"""Deciding who gets what. The products are locked, and nothing is read or written here."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from contracts.reservations import LimitReached, Line, Outcome, PricedLine, Reservation, Result, Shortage


class Shelf(NamedTuple):
    """A product row while it is locked."""

    price: Decimal
    stock: int
    version: int
    deleted: bool
    max_per_customer: int | None = None
    limit_epoch: int = 0


class Tally(NamedTuple):
    """What is counted together: the units of a product that a customer holds, since the product was given a limit."""

    product_id: int
    limit_epoch: int
    customer: str


@dataclass
class CountedLine(PricedLine):
    """A line that counts towards its customer's limit. The epoch is stored with it: it is given back to the same tally.

    Ordering ignores it. None is what a line that didn't count is read as.
    """

    limit_epoch: int | None = None


@dataclass
class CountedLines:
    """As much of a recorded outcome as is given back."""

    lines: list[CountedLine]


COUNTED_LINES = TypeAdapter(CountedLines)


def decide(
    wanted: Sequence[Reservation], shelves: Mapping[int, Shelf], now: datetime, had: Mapping[Tally, int]
) -> list[Outcome]:
    """First come, first served: what each order gets of what the ones before it left. `shelves` are all that exist.

    `had` is what customers hold already of products that have a limit.
    """
    left = {id_: shelf.stock for id_, shelf in shelves.items() if not shelf.deleted}
    holds = Counter(had)
    outcomes = []
    for asked in wanted:
        outcome = _decide_one(asked, shelves, left, holds, now)
        if outcome.result is Result.HELD:
            for line in outcome.lines:
                left[line.product_id] -= line.quantity
            holds.update(tallied(asked.customer, outcome.lines))
        outcomes.append(outcome)
    return outcomes


def _decide_one(
    asked: Reservation,
    shelves: Mapping[int, Shelf],
    left: Mapping[int, int],
    holds: Mapping[Tally, int],
    now: datetime,
) -> Outcome:
    def refuse(result: Result, **why: Any) -> Outcome:
        return Outcome(order_id=asked.order_id, result=result, decided_at=now, **why)

    missing = [line.product_id for line in asked.lines if line.product_id not in left]
    if missing:
        return refuse(Result.PRODUCT_NOT_FOUND, missing=missing)
    lines = [_priced(line, shelves[line.product_id], asked.customer) for line in asked.lines]
    total = sum((line.unit_price * line.quantity for line in lines), Decimal(0))
    if asked.expected_total is not None and asked.expected_total != total:
        return refuse(Result.PRICE_CHANGED, lines=lines, total=total)
    # Before the stock: more may be delivered, and this customer would still have had his share.
    limits = list(_limits_reached(asked.customer, lines, shelves, holds))
    if limits:
        return refuse(Result.LIMIT_REACHED, limits=limits)
    shortages = [
        Shortage(line.product_id, requested=line.quantity, available=left[line.product_id])
        for line in lines
        if line.quantity > left[line.product_id]
    ]
    if shortages:
        return refuse(Result.INSUFFICIENT_STOCK, shortages=shortages)
    return Outcome(order_id=asked.order_id, result=Result.HELD, lines=lines, total=total, decided_at=now)


def _priced(line: Line, shelf: Shelf, customer: str) -> PricedLine:
    """There is nobody to count for when nobody said who he is."""
    if shelf.max_per_customer is None or not customer:
        return PricedLine(line.product_id, line.quantity, shelf.price)
    return CountedLine(line.product_id, line.quantity, shelf.price, shelf.limit_epoch)


def _limits_reached(
    customer: str, lines: Iterable[PricedLine], shelves: Mapping[int, Shelf], holds: Mapping[Tally, int]
) -> Iterator[LimitReached]:
    for tally, quantity in tallied(customer, lines).items():
        most, has = shelves[tally.product_id].max_per_customer, holds.get(tally, 0)
        if most is not None and has + quantity > most:
            yield LimitReached(tally.product_id, max_per_customer=most, has=has, requested=quantity)


def tallied(customer: str, lines: Iterable[PricedLine]) -> dict[Tally, int]:
    """How many units these lines count, by tally."""
    return {
        Tally(line.product_id, line.limit_epoch, customer): line.quantity
        for line in lines
        if isinstance(line, CountedLine) and line.limit_epoch is not None
    }


def tallies(wanted: Iterable[Reservation], shelves: Mapping[int, Shelf]) -> set[Tally]:
    """What must be known before these orders can be decided. Nothing if none of the products has a limit."""
    epochs = {id_: shelf.limit_epoch for id_, shelf in shelves.items() if shelf.max_per_customer is not None}
    if not epochs:
        return set()
    return {
        Tally(line.product_id, epochs[line.product_id], asked.customer)
        for asked in wanted
        if asked.customer
        for line in asked.lines
        if line.product_id in epochs
    }
