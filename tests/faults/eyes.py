"""A look at all books, in a process of its own.

Everything that crosses the wire goes through links in the run's process. Reading thousands of orders there every second made
MySQL look slow to all, and what was only held up in a link looked as if it did not settle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from faults import checker, snapshot
from faults.snapshot import Order
from faults.whole_system import CHECKER


@dataclass(frozen=True)
class Look:
    """`found` is what doesn't fit together; `given_up` are the orders whose stock goes back or has gone."""

    found: Sequence[str]
    given_up: Sequence[Order]


def look(port: int) -> Look:
    with snapshot.reader(port, CHECKER) as connection:
        now = snapshot.take(connection)
    return Look(checker.at_any_moment(now), [order for order in now.orders.values() if order.state in checker.GIVEN_UP])
