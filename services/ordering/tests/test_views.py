"""How an order looks: the answer to its placing, which orjson writes, is what FastAPI shows of it with pydantic."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ordering.model import State
from ordering.orders import Item, Order
from ordering.views import OrderView, placement_answer, view

PLACED = Order(
    id=1,
    request_key=b"a key",
    customer="",
    fingerprint=b"",
    state=State.FULFILLED,
    revision=1,
    items=[Item(7, 2, Decimal("999.99"))],
    expected_total=None,
    total=Decimal("1999.98"),
    refusal=None,
    created_at=datetime(2026, 1, 2, 3, 4, 5, 600, UTC),
    reserved_at=None,
    decided_at=None,
    cancel_forced=False,
)
IDS = st.integers(1, 2**63 - 1)
PRICES = st.decimals("0.00", "9999999.99", places=2)
TOTALS = st.decimals("0.00", "99999999999999.99", places=2)
ITEMS = st.lists(st.builds(Item, IDS, st.integers(1, 10_000), PRICES), min_size=1, max_size=3)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([None, UTC]))  # noqa: DTZ001


def test_a_placed_order_has_its_price_as_a_number_and_its_time_in_utc() -> None:
    assert placement_answer(PLACED).body == (
        b'{"id":1,"product_id":7,"quantity":2,"created_at":"2026-01-02T03:04:05.000600Z","state":"placed",'
        b'"items":[{"product_id":7,"quantity":2,"unit_price":999.99}],"total":1999.98}'
    )


@given(IDS, ITEMS, TOTALS, MOMENTS | st.just(datetime(2026, 1, 2, 3, 4, 5)))  # noqa: DTZ001 - as the database says it
def test_it_is_written_as_fastapi_writes_it(
    order_id: int, items: Sequence[Item], total: Decimal, created_at: datetime
) -> None:
    order = PLACED._replace(id=order_id, items=list(items), total=total, created_at=created_at)

    shown = TypeAdapter(OrderView).dump_json(view(order, State.PLACED))

    assert placement_answer(order).body == shown
