"""What the system promises, as scenes to be played one after another: by the demo, and by the tests of the whole system."""

from functools import partial

from local.demo import orders, products, races
from local.demo.burst import BURST, burst
from local.demo.verdicts import Scene


def scenes(step_seconds: float, burst_size: int = BURST) -> list[Scene]:
    """Each has products of its own: the system may have had other customers before. The last looks at those of all."""
    step = f"{step_seconds:g}"
    return [
        Scene("The system is healthy", products.healthy),
        Scene("A product is created, listed, read and replaced", products.kept),
        Scene("An order is placed well under a second and takes its stock", orders.placed),
        Scene(
            f"It is fulfilled {step}-{step_seconds + 1:g} s later", partial(orders.fulfilled, step_seconds=step_seconds)
        ),
        Scene("Orders are listed and read", orders.listed),
        Scene("An order outlives its deleted product", products.deleted),
        Scene("Five buyers, one unit: it sells once, twenty times over", races.last_item),
        Scene("Fifty buyers, ten units: exactly ten sold", races.flash_sale),
        Scene("Two products named in opposite orders: no deadlock shows", races.opposite_orders),
        Scene("A repeated Idempotency-Key gives the same order and answer", orders.repeated),
        Scene("A changed price is refused, not charged", orders.price_changed),
        Scene("A stale If-Match overwrites nothing", products.stale_if_match),
        Scene(
            f"{burst_size:,} orders at once are fulfilled within {step} s + 5 s",
            partial(burst, step_seconds=step_seconds, size=burst_size),
        ),
        Scene("Every stock is the sum of its movements", products.explained),
    ]
