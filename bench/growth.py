"""Growth: the same loads on nearly empty tables and on a million orders, in turn."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import wrk
from bench.cells import MANY, Cell
from bench.fill import fill
from bench.ours import Ours
from bench.rounds import Plan, measure
from bench.subject import Subject
from bench.wrk import Load, Window

PLACE = Cell("ours", "place", MANY)
PAGE = 100
FIRST = f"/api/v1/orders?limit={PAGE}"


@dataclass
class Growth:
    """Pages are read by a lone client, and by name: `empty` is the first page of the empty system, a full one."""

    orders: int
    empty: list[Window] = field(default_factory=list)
    full: list[Window] = field(default_factory=list)
    pages: dict[str, list[Window]] = field(default_factory=dict)


def grow(directory: Path, replicas: int, plan: Plan, say: Callable[[str], None]) -> Growth:
    growth = Growth(plan.orders)
    with Ours(directory / "empty", replicas).running() as few, Ours(directory / "full", replicas).running() as many:
        for ours in (few, many):
            _first_page(ours)
        say(f"filling in {plan.orders:,} orders ...")
        many.use_products(fill(many, plan.orders, many.some_orders()[0]))
        for _ in range(plan.rounds):
            with few.resumed() as subject:
                _read(growth, subject, {"empty": FIRST}, plan)
                growth.empty.append(measure(subject, PLACE, plan))
            with many.resumed() as subject:
                _read(growth, subject, _pages(many), plan)
                growth.full.append(measure(subject, PLACE, plan))
            rates = [windows[-1].rate(201) for windows in (growth.empty, growth.full)]
            say(f"placing on empty and on full tables: {rates[0]:,.0f}/s and {rates[1]:,.0f}/s")
    return growth


def _first_page(ours: Ours) -> None:
    """A page without orders would be no measure for one with a hundred."""
    with ours.resumed() as subject:
        wrk.run(replace(subject.load("place", 32, 2), stop_after=2 * PAGE))
        subject.drain()


def _pages(ours: Ours) -> dict[str, str]:
    first, last = ours.execute("SELECT MIN(id), MAX(id) FROM ordering.orders")[0]
    middle = (first + last) // 2
    return {
        "first": FIRST,
        "middle": f"{FIRST}&after={middle}",
        "last": f"{FIRST}&after={last - PAGE - 1}",
        "newest": f"{FIRST}&sort=-id",
        "newest, from the middle": f"{FIRST}&sort=-id&after={middle}",
        "fulfilled, from the middle": f"{FIRST}&state=fulfilled&after={middle}",
    }


def _read(growth: Growth, subject: Subject, pages: dict[str, str], plan: Plan) -> None:
    for name, path in pages.items():
        load = Load("page", subject.url, 1, max(2, plan.seconds / 6), path=path)
        wrk.run(replace(load, seconds=1))
        growth.pages.setdefault(name, []).append(wrk.run(load))
