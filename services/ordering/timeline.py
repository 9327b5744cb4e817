"""What happened to an order, each step with the time it was stored with when it happened."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection, select

from chassis.web import UtcTime
from ordering.model import State, order_steps
from ordering.orders import Order, read


class StepView(BaseModel):
    """`detail` depends on the step: a try has its number, worker, end, result and reason."""

    step: str
    at: UtcTime
    detail: dict[str, Any] = {}


def timeline(connection: Connection, order_id: int) -> list[StepView]:
    """Oldest first. Raises NotFound."""
    (order,) = read(connection, [order_id])
    if isinstance(order, Exception):
        raise order
    later = select(order_steps).where(order_steps.c.order_id == order_id).order_by(order_steps.c.id)
    rows = connection.execute(later).mappings()
    steps = [*_placing(order), *(StepView.model_validate(dict(row)) for row in rows)]
    # Fulfilment tells all tries with each outcome, so after a redrive the first ones come twice, alike in everything.
    once = {step.model_dump_json(): step for step in steps}
    return sorted(once.values(), key=lambda step: step.at)


def _placing(order: Order) -> list[StepView]:
    """The times that stand in the row itself."""
    decided = "rejected" if order.state is State.REJECTED else "placed"
    moments: list[tuple[str, datetime | None]] = [
        ("accepted", order.created_at),
        ("reserved" if decided == "placed" else "refused", order.reserved_at),
        (decided, order.decided_at),
    ]
    return [StepView(step=step, at=at) for step, at in moments if at is not None]
