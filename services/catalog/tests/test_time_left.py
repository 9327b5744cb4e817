"""Work for a caller who has given up is not begun."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest
from sqlalchemy import Connection

from catalog import reserve_stock
from catalog.tests.factories import a_product, an_order, states_of_reservations
from chassis.database.transactions import Database
from contracts.reservations import Reservation, ReserveRequest, to_json


def ask(ordering: httpx.Client, milliseconds: int, *wanted: Reservation) -> httpx.Response:
    headers = {"Content-Type": "application/json", "X-Time-Left-Ms": str(milliseconds)}
    return ordering.post("/reservations", content=to_json(ReserveRequest(list(wanted))), headers=headers)


def test_nothing_is_begun_for_a_caller_who_has_given_up(
    ordering: httpx.Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is under way, and what came meanwhile has to wait for it, for longer than its caller does."""
    real, at_work, go_on = reserve_stock.reserve, Event(), Event()

    def held_up(connection: Connection, wanted: Sequence[Reservation]) -> list[bytes | None]:
        at_work.set()
        go_on.wait(10)
        return real(connection, wanted)

    monkeypatch.setattr(reserve_stock, "reserve", held_up)
    laptop = a_product(database)
    with ThreadPoolExecutor(1) as meanwhile:
        first = meanwhile.submit(ask, ordering, 20_000, an_order(1, (laptop, 1)))
        at_work.wait(10)
        given_up = ask(ordering, 50, an_order(2, (laptop, 1)), an_order(3, (laptop, 1)))
        go_on.set()
        in_time = first.result(10)

    assert (given_up.status_code, in_time.status_code) == (503, 200)
    ask(ordering, 20_000, an_order(4, (laptop, 1)))  # whatever waited would have been done with this one
    assert sorted(states_of_reservations(database)) == [1, 4]


def test_a_call_that_comes_too_late_reserves_nothing(ordering: httpx.Client, database: Database) -> None:
    laptop = a_product(database)

    too_late = ask(ordering, 0, *(an_order(n, (laptop, 1)) for n in (1, 2)))
    in_time = ask(ordering, 20_000, an_order(3, (laptop, 1)))

    assert (too_late.status_code, in_time.status_code) == (503, 200)
    assert sorted(states_of_reservations(database)) == [3]
