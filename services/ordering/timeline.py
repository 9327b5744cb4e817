"""What happened to an order, each step with the time it was stored with when it happened."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection, Row, bindparam, select

from chassis.web.access import Caller, Role
from chassis.web.fields import UtcTime
from ordering.model import State, order_steps, orders
from ordering.orders import Order, read, visible


class StepView(BaseModel):
    """`detail` depends on the step: a try has its number, worker, end, result and reason."""

    step: str
    at: UtcTime
    detail: dict[str, Any] = {}


def timeline(connection: Connection, order_id: int, caller: Caller) -> list[StepView]:
    """Oldest first. Raises NotFound. Who asked for something, and by which request, is shown to staff."""
    (order,) = read(connection, [order_id])
    if isinstance(order, Exception):
        raise order
    visible(order, caller)
    later = select(order_steps).where(order_steps.c.order_id == order_id).order_by(order_steps.c.id)
    steps = _placing(order)
    for row in connection.execute(later):
        detail = dict(row.detail)
        if caller.role is Role.CUSTOMER:
            detail.pop("by", None)
        if caller.role is Role.CUSTOMER or not caller.id:
            detail.pop("request_id", None)
        steps += _told(row.step, row.at, detail)
    steps += _fulfilled(connection.execute(FULFILLED, {"id": order_id}).one())
    # Fulfilment tells all tries with each outcome, so after a redrive the first ones come twice, alike in everything.
    once = {step.model_dump_json(): step for step in steps}
    return sorted(once.values(), key=lambda step: step.at)


FULFILLED = select(
    orders.c.announced_at, orders.c.taken_at, orders.c.fulfilled_at, orders.c.fulfilled_by, orders.c.tries
).where(orders.c.id == bindparam("id"))


def _fulfilled(row: Row[Any, Any, Any, Any, Any]) -> list[StepView]:
    """What the order's own row tells of it."""
    if row.fulfilled_at is None:
        return []
    only = {
        "number": 1,
        "worker": row.fulfilled_by,
        "started_at": row.taken_at,
        "ended_at": row.fulfilled_at.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"),
        "result": "fulfilled",
        "reason": None,
    }
    before = {
        "announced_at": row.announced_at,
        "taken_at": row.taken_at,
        "tries": row.tries or ([only] if row.taken_at else []),
    }
    return _told("fulfilled", row.fulfilled_at, before)


def _told(step: str, at: datetime, detail: dict[str, Any]) -> list[StepView]:
    """An outcome tells of the steps before it as well."""
    detail.pop("decided_at", None)
    before = [(name, detail.pop(f"{name}_at", None)) for name in ("announced", "taken")]
    runs = [StepView(step="try", at=run.pop("started_at"), detail=run) for run in detail.pop("tries", [])]
    return [
        *(StepView(step=name, at=moment) for name, moment in before if moment),
        *runs,
        StepView(step=step, at=at, detail=detail),
    ]


def _placing(order: Order) -> list[StepView]:
    """The times that stand in the row itself."""
    decided = "rejected" if order.state is State.REJECTED else "placed"
    moments: list[tuple[str, datetime | None]] = [
        ("accepted", order.created_at),
        ("reserved" if decided == "placed" else "refused", order.reserved_at),
        (decided, order.decided_at),
    ]
    return [StepView(step=step, at=at) for step, at in moments if at is not None]
