"""Growth: the same loads on nearly empty tables and on a million orders, in turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import wrk
from bench.cells import MANY, Cell
from bench.fill import ORDERS_PER_PRODUCT, fill
from bench.ours import Ours
from bench.rounds import Plan, measure
from bench.subject import Subject
from bench.wrk import Load, Window

PLACE = Cell("ours", "place", MANY)
ORDERS_PATH = "/api/v1/orders"
PAGE = 100
FIRST = f"{ORDERS_PATH}?limit={PAGE}"


@dataclass
class Growth:
    """Pages are read by a lone client, and by name: `empty` is the first page of the empty system, a full one."""

    orders: int
    products: int
    empty: list[Window] = field(default_factory=list)
    full: list[Window] = field(default_factory=list)
    pages: dict[str, list[Window]] = field(default_factory=dict)


def grow(directory: Path, replicas: int, orders: int, plan: Plan, say: Callable[[str], None]) -> Growth:
    growth = Growth(orders, orders // ORDERS_PER_PRODUCT)
    few, many = Ours(directory / "empty", replicas), Ours(directory / "full", replicas)
    with few.running(), many.running():
        for ours in (few, many):
            _first_page(ours.subject())
            ours.pause()
        say(f"filling in {growth.orders:,} orders and {growth.products:,} products ...")
        many.use_products(fill(many, orders, many.some_orders()[0]))
        for _ in range(plan.rounds):
            with few.resumed() as subject:
                _read(growth, subject, {"empty": FIRST}, plan)
                growth.empty.append(measure(subject, PLACE, plan))
                say(f"placing on empty tables: {growth.empty[-1].rate(201):,.0f}/s")
            with many.resumed() as subject:
                _read(growth, subject, _pages(many), plan)
                growth.full.append(measure(subject, PLACE, plan))
                say(f"placing on full tables: {growth.full[-1].rate(201):,.0f}/s")
    return growth


def _first_page(subject: Subject) -> None:
    """A page without orders would be no measure for one with a hundred."""
    wrk.Running(subject.load("place", 32, 2).until(2 * PAGE)).result()
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
        wrk.Running(load.lasting(1)).result()
        growth.pages.setdefault(name, []).append(wrk.run(load, subject.processes))
