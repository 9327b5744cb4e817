"""What ordering asks, over a real socket."""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

import httpx
import pytest
from sqlalchemy import Connection

from catalog import api, reserve_stock
from catalog.settings import Settings
from catalog.tests.conftest import TOKEN
from catalog.tests.factories import (
    a_product,
    an_order,
    at_once,
    require_explained_stock,
    rows,
    states_of_reservations,
    stock_of,
)
from chassis.database.transactions import Database
from contracts.reservations import RESERVE_ANSWER, Outcome, Reservation, ReserveRequest, Result, to_json


def ask(ordering: httpx.Client, *wanted: Reservation) -> list[Outcome]:
    request = to_json(ReserveRequest(list(wanted)))
    response = ordering.post("/reservations", content=request, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    return RESERVE_ANSWER.validate_json(response.content).outcomes


def test_outcomes_come_in_the_order_asked(ordering: httpx.Client, database: Database) -> None:
    laptop = a_product(database, stock=3)

    outcomes = ask(ordering, an_order(9, (laptop, 2)), an_order(4, (laptop, 2)), an_order(6, (99, 1)))

    assert [(outcome.order_id, outcome.result) for outcome in outcomes] == [
        (9, Result.HELD),
        (4, Result.INSUFFICIENT_STOCK),
        (6, Result.PRODUCT_NOT_FOUND),
    ]


def test_an_outcome_survives_the_wire_to_the_last_digit(ordering: httpx.Client, database: Database) -> None:
    laptop = a_product(database, price="9999999.99")

    [first] = ask(ordering, an_order(1, (laptop, 10)))
    [again] = ask(ordering, an_order(1, (laptop, 10)))

    assert first == again
    assert str(first.total) == "99999999.90"
    assert first.decided_at is not None
    assert first.decided_at.tzinfo is not None


def test_releases_answer_who_holds_nothing_any_more(ordering: httpx.Client, database: Database) -> None:
    laptop = a_product(database, stock=3)
    ask(ordering, an_order(1, (laptop, 2)), an_order(2, (laptop, 2)))

    answers = [ordering.post("/releases", json={"order_ids": [1, 2, 3]}).json() for _ in range(2)]

    assert answers == [{"released": [1, 2]}] * 2
    assert stock_of(database, laptop) == 3


def test_calls_at_once_share_transactions_and_sell_each_unit_once(
    ordering: httpx.Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, batches = reserve_stock.reserve, []

    def slow(connection: Connection, wanted: Sequence[Reservation]) -> list[bytes | None]:
        time.sleep(0.1)
        outcomes = real(connection, wanted)
        batches.append(len(wanted))
        return outcomes

    monkeypatch.setattr(reserve_stock, "reserve", slow)
    laptop = a_product(database, stock=30)
    calls = [[an_order(call * 10 + n, (laptop, 1)) for n in range(5)] for call in range(1, 13)]

    answers = at_once([partial(ask, ordering, *wanted) for wanted in calls])

    assert [[outcome.order_id for outcome in answer] for answer in answers] == [
        [asked.order_id for asked in wanted] for wanted in calls
    ]
    held = [outcome for answer in answers for outcome in answer if outcome.result is Result.HELD]
    assert len(held) == 30
    assert stock_of(database, laptop) == 0
    require_explained_stock(database)
    assert sum(batches) == 60
    assert len(batches) < len(calls), "each call had a transaction of its own"


def test_who_wants_a_locked_product_holds_up_nobody_who_wants_another(
    ordering: httpx.Client, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    laptop, mouse = a_product(database), a_product(database)

    def buy_while_locked(connection: Connection) -> list[Outcome]:
        reserve_stock.lock(connection, [mouse])
        return ask(ordering, an_order(1, (laptop, 1)), an_order(2, (mouse, 1)), an_order(3, (laptop, 1), (mouse, 1)))

    outcomes = database.transact(buy_while_locked)

    assert [outcome.result for outcome in outcomes] == [Result.HELD, Result.UNDECIDED, Result.UNDECIDED]
    assert "(1205" not in caplog.text, "a lock was waited for"
    assert sorted(states_of_reservations(database)) == [1]
    [again, other] = ask(ordering, an_order(2, (mouse, 1)), an_order(3, (laptop, 1), (mouse, 1)))
    assert (again.result, other.result) == (Result.HELD, Result.HELD)


def test_a_lock_held_for_a_moment_is_waited_out_within_the_call(ordering: httpx.Client, database: Database) -> None:
    laptop = a_product(database)
    meanwhile = ThreadPoolExecutor(1)

    def buy_while_locked(connection: Connection) -> Future[list[Outcome]]:
        reserve_stock.lock(connection, [laptop])
        asked = meanwhile.submit(ask, ordering, an_order(1, (laptop, 1)))
        time.sleep(0.01)
        return asked

    [outcome] = database.transact(buy_while_locked).result(10)

    assert outcome.result is Result.HELD


def test_a_batch_of_many_lines_fits_in_a_call(ordering: httpx.Client, database: Database) -> None:
    ids = [a_product(database, stock=1000) for _ in range(50)]

    outcomes = ask(ordering, *(an_order(n, *((product, 1) for product in ids)) for n in range(1, 101)))

    assert {outcome.result for outcome in outcomes} == {Result.HELD}
    require_explained_stock(database)


def test_a_reservation_that_breaks_stays_undecided_and_holds_up_no_other(
    ordering: httpx.Client, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    laptop = a_product(database, stock=100)
    real = reserve_stock.reserve

    def breaking(connection: Connection, wanted: Sequence[Reservation]) -> list[bytes | None]:
        outcomes = real(connection, wanted)
        if any(asked.order_id == 7 for asked in wanted):
            raise RuntimeError("planted")
        return outcomes

    monkeypatch.setattr(reserve_stock, "reserve", breaking)

    outcomes = ask(ordering, *(an_order(n, (laptop, 1)) for n in range(1, 11)))

    assert [outcome.order_id for outcome in outcomes if outcome.result is Result.UNDECIDED] == [7]
    assert sorted(states_of_reservations(database)) == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert stock_of(database, laptop) == 91
    assert [record.args for record in caplog.records if record.levelno == logging.ERROR] == [(7,)]


@pytest.mark.parametrize(
    "reservation",
    [
        {"order_id": 1, "lines": []},
        {"order_id": 0, "lines": [{"product_id": 1, "quantity": 1}]},
        {"order_id": 1, "lines": [{"product_id": 1, "quantity": -5}]},
        {"order_id": 1, "lines": [{"product_id": 1, "quantity": 1}, {"product_id": 1, "quantity": 1}]},
        {"order_id": 2**63, "lines": [{"product_id": 1, "quantity": 1}]},
    ],
)
def test_nonsense_is_refused_before_it_reaches_the_stock(
    ordering: httpx.Client, database: Database, reservation: dict[str, object]
) -> None:
    a_product(database)

    response = ordering.post("/reservations", json={"reservations": [reservation]})

    assert response.status_code == 422
    assert rows(database, "SELECT * FROM reservations") == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"7", b'{"reservations": [NaN]}', b'{"reservations": ["\xff"]}', b"[" * 9999]
)
def test_a_body_that_is_none_is_refused(ordering: httpx.Client, body: bytes) -> None:
    refused = ordering.post("/reservations", content=body, headers={"Content-Type": "application/json"})

    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"


def test_what_a_newer_ordering_says_beside_it_is_ignored(ordering: httpx.Client, database: Database) -> None:
    laptop = a_product(database, price="0.10")
    line = {"product_id": laptop, "quantity": 3, "gift": True}
    asked = {"order_id": 1, "lines": [line], "expected_total": "0.30", "urgent": True}

    answer = ordering.post("/reservations", json={"reservations": [asked], "sent_at": "now"}).json()

    assert [(one["result"], one["total"]) for one in answer["outcomes"]] == [("held", "0.30")]


@pytest.mark.parametrize("authorization", [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x"])
@pytest.mark.parametrize("path", ["/reservations", "/releases"])
def test_without_the_service_token_nothing_is_done(
    ordering: httpx.Client, database: Database, path: str, authorization: str | None
) -> None:
    laptop = a_product(database)
    headers = {} if authorization is None else {"Authorization": authorization}
    body = {"reservations": [asdict(an_order(1, (laptop, 1)))], "order_ids": [1]}

    response = httpx.post(ordering.base_url.join(f"/private{path}"), json=body, headers=headers)

    assert response.status_code == 401
    assert stock_of(database, laptop) == 10


def test_while_the_database_is_away_nothing_is_decided_and_the_caller_may_come_again() -> None:
    nowhere = "mysql+pymysql://catalog_run:catalog_run@127.0.0.1:1/catalog"
    app = api.build(Settings(database_url=nowhere, ordering_tokens=(TOKEN,)))
    body = {"reservations": [asdict(an_order(n, (1, 1))) for n in (1, 2)]}

    async def ask_all() -> tuple[httpx.Response, ...]:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://catalog", headers=headers) as client,
        ):
            return await asyncio.gather(
                client.post("/private/reservations", json=body),
                client.get("/api/v1/products/1"),
                client.post("/api/v1/products", json={"name": "Laptop", "price": 1, "stock": 1}),
                client.get("/readyz"),
            )

    answers = asyncio.run(ask_all())

    assert [answer.status_code for answer in answers] == [503] * 4
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
