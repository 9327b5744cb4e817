"""What ordering and catalog write is what the other reads, to the last digit; what is wrong is refused where it is read."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from contracts.reservations import (
    OUTCOME,
    RESERVATION,
    RESERVE_ANSWER,
    RESERVE_REQUEST,
    LimitReached,
    Line,
    Outcome,
    PricedLine,
    Reservation,
    ReserveRequest,
    Result,
    Shortage,
    reserve_answer,
    to_json,
)

ASKED = Reservation(
    2**63 - 1, [Line(2**63 - 1, 10_000), Line(1, 1)], Decimal("99999999999999.90"), "Zoë", "a-request.1_2"
)
ASKED_JSON = (
    b'{"order_id":9223372036854775807,"lines":[{"product_id":9223372036854775807,"quantity":10000},'
    b'{"product_id":1,"quantity":1}],"expected_total":"99999999999999.90","customer":"Zo\xc3\xab",'
    b'"request_id":"a-request.1_2"}'
)
AT = datetime(2026, 11, 22, 11, 35, 34, 627285, tzinfo=UTC)
HELD = Outcome(1, Result.HELD, [PricedLine(7, 2, Decimal("0.10"))], Decimal("0.20"), decided_at=AT)
HELD_JSON = (
    b'{"order_id":1,"result":"held","lines":[{"product_id":7,"quantity":2,"unit_price":"0.10"}],"total":"0.20",'
    b'"shortages":[],"missing":[],"limits":[],"decided_at":"2026-11-22T11:35:34.627285Z"}'
)
OUTCOMES = [
    HELD,
    Outcome(2, Result.INSUFFICIENT_STOCK, shortages=[Shortage(7, requested=3, available=2)], decided_at=AT),
    Outcome(3, Result.PRODUCT_NOT_FOUND, missing=[7, 8], decided_at=AT),
    Outcome(4, Result.PRICE_CHANGED, HELD.lines, HELD.total, decided_at=AT),
    Outcome(5, Result.LIMIT_REACHED, limits=[LimitReached(7, max_per_customer=2, has=1, requested=2)], decided_at=AT),
    Outcome(6, Result.MISMATCH),
    Outcome(7, Result.UNDECIDED),
]


def a_request(**changed: Any) -> bytes:
    reservation = {"order_id": 1, "lines": [{"product_id": 1, "quantity": 1}]} | changed
    return orjson.dumps({"reservations": [reservation]})


def test_a_request_has_this_form_and_is_read_as_it_was_written() -> None:
    assert to_json(ReserveRequest([ASKED])) == b'{"reservations":[' + ASKED_JSON + b"]}"
    assert RESERVE_REQUEST.validate_json(to_json(ReserveRequest([ASKED]))).reservations == [ASKED]
    read = RESERVATION.validate_json(ASKED_JSON)
    assert (read, read.request_id) == (ASKED, ASKED.request_id)


def test_what_is_asked_for_is_the_same_whichever_request_it_is_for() -> None:
    assert replace(ASKED, request_id=None) == ASKED


def test_an_outcome_has_this_form() -> None:
    assert to_json(HELD) == HELD_JSON
    assert OUTCOME.validate_json(HELD_JSON) == HELD


def test_an_answer_of_outcomes_that_are_json_already_is_read_like_any() -> None:
    answer = reserve_answer(to_json(outcome) for outcome in OUTCOMES)

    assert RESERVE_ANSWER.validate_json(answer).outcomes == OUTCOMES


def test_readers_ignore_fields_they_do_not_know_and_do_without_those_that_came_later() -> None:
    older = {"order_id": 1, "result": "held"}
    newer = {**orjson.loads(HELD_JSON), "warehouse": 3}

    assert OUTCOME.validate_python(older) == Outcome(1, Result.HELD)
    assert OUTCOME.validate_python(newer) == HELD
    line = {"product_id": 1, "quantity": 1, "gift": True}
    assert RESERVE_REQUEST.validate_json(a_request(lines=[line], urgent=True)).reservations == [
        Reservation(1, [Line(1, 1)])
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"order_id": 0},
        {"order_id": 2**63},
        {"order_id": None},
        {"lines": []},
        {"lines": [{"product_id": 1, "quantity": 0}]},
        {"lines": [{"product_id": 1, "quantity": -1}]},
        {"lines": [{"product_id": 1, "quantity": 1.5}]},
        {"lines": [{"product_id": 1, "quantity": "1"}]},
        {"lines": [{"product_id": "1", "quantity": 1}]},
        {"order_id": True},
        {"lines": [{"product_id": 0, "quantity": 1}]},
        {"lines": [{"product_id": 1}]},
        {
            "lines": [
                {"product_id": 1, "quantity": 1},
                {"product_id": 2, "quantity": 1},
                {"product_id": 1, "quantity": 2},
            ]
        },
        {"expected_total": "NaN"},
        {"expected_total": "ten"},
    ],
)
def test_a_request_that_makes_no_sense_can_not_be_read(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RESERVE_REQUEST.validate_json(a_request(**changed))


@pytest.mark.parametrize("count", [0, 501])
def test_a_request_is_for_some_orders_and_not_for_too_many(count: int) -> None:
    with pytest.raises(ValidationError):
        RESERVE_REQUEST.validate_json(to_json(ReserveRequest([replace(ASKED, order_id=n + 1) for n in range(count)])))


def test_what_stands_in_no_message_is_not_written() -> None:
    with pytest.raises(TypeError):
        to_json(Outcome(1, Result.HELD, missing=[{7}]))  # type: ignore[list-item]
