"""An event once sent can be read for ever; what is no event is told apart and never echoed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import orjson
import pytest

from contracts.batches import UnreadableEvent, part, seal, unseal
from contracts.events import Event, FulfilmentEvent, OrderingEvent, fulfilment_events, ordering_events

Read = Callable[[bytes], Event]

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
READERS: dict[type[Event], Read] = {
    **dict.fromkeys(get_args(OrderingEvent), ordering_events.event),
    **dict.fromkeys(get_args(FulfilmentEvent), fulfilment_events.event),
}
BY_NAME = {event.__name__: (event, read) for event, read in READERS.items()}
PLACED: dict[str, Any] = {
    "type": "OrderPlaced",
    "version": 1,
    "order_id": 1,
    "revision": 1,
    "items": [{"product_id": 1, "quantity": 2, "unit_price": "9.99"}],
    "total": "19.98",
}


def placed(**changed: Any) -> bytes:
    return json.dumps(PLACED | changed).encode()


def without(member: str) -> bytes:
    return json.dumps({name: value for name, value in PLACED.items() if name != member}).encode()


def is_kept(stored: Any, read: Any) -> bool:
    """Everything stored is there, whatever was added since."""
    if isinstance(stored, dict):
        return all(name in read and is_kept(value, read[name]) for name, value in stored.items())
    if isinstance(stored, list):
        return len(stored) == len(read) and all(is_kept(*pair) for pair in zip(stored, read, strict=True))
    return bool(stored == read)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_stored_event_goes_on_being_read_with_nothing_lost(sample: Path) -> None:
    event, read = BY_NAME[sample.stem.partition(".")[0]]

    found = read(sample.read_bytes())

    assert dict(found)["type"] == event.__name__
    assert is_kept(json.loads(sample.read_bytes()), json.loads(orjson.dumps(found, option=orjson.OPT_UTC_Z)))


def test_every_event_in_every_version_has_a_stored_sample() -> None:
    versions = {
        f"{event.__name__}.v{version}" for event in READERS for version in get_args(get_type_hints(event)["version"])
    }

    assert {sample.stem for sample in SAMPLES} == versions


@pytest.mark.parametrize("event", READERS)
def test_an_event_says_its_own_name(event: type[Event]) -> None:
    assert get_args(get_type_hints(event)["type"]) == (event.__name__,)


def test_fields_that_this_version_does_not_know_are_ignored() -> None:
    event = ordering_events.event(placed(gift_wrap=True, items=[{**PLACED["items"][0], "colour": "red"}]))

    assert event == ordering_events.event(placed())


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="no payload"),
        pytest.param(b"\x00\xff\xfe", id="binary"),
        pytest.param(b"order 1, please", id="not JSON"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"[" * 100_000, id="100,000 levels deep"),
        pytest.param(without("order_id"), id="no order id"),
        pytest.param(without("type"), id="no type"),
        pytest.param(placed(order_id="one"), id="order id of the wrong type"),
        pytest.param(placed(order_id="1"), id="order id as text"),
        pytest.param(placed(order_id=True), id="order id true"),
        pytest.param(placed(order_id=0), id="order id 0"),
        pytest.param(placed(order_id=2**63), id="order id beyond the database's"),
        pytest.param(placed(revision=0), id="revision 0"),
        pytest.param(placed(items=[]), id="no items"),
        pytest.param(placed(total="NaN"), id="total NaN"),
        pytest.param(placed(request_id="two\nlines"), id="request id of two lines"),
        pytest.param(placed(request_id="a" * 65), id="long request id"),
        pytest.param(placed(version=2), id="unknown version"),
        pytest.param(placed(type="OrderEaten"), id="unknown type"),
        pytest.param(placed(type="OrderFulfilled"), id="type of the other stream"),
        pytest.param(b'{"type": "x' + b"x" * 1_000_000 + b'"}', id="1 MB"),
    ],
)
def test_what_is_no_event_is_unreadable_and_said_in_a_short_sentence(payload: bytes) -> None:
    with pytest.raises(UnreadableEvent) as caught:
        ordering_events.event(payload)

    assert 0 < len(str(caught.value)) < 1000


def test_the_reason_does_not_echo_the_payload() -> None:
    with pytest.raises(UnreadableEvent) as caught:
        ordering_events.event(placed(order_id="card 4111 1111 1111 1111"))

    assert "4111" not in str(caught.value)


BAD = b'{"version":1,"type":"OrderEaten"}'


def test_a_batch_is_read_whole_and_each_event_knows_when_it_came() -> None:
    events = ordering_events.batch(seal([placed(), placed(order_id=2)]), "1700000000123-0")

    assert [event["order_id"] for event in events if not isinstance(event, UnreadableEvent)] == [1, 2]
    assert {str(event["put_at"]) for event in events if not isinstance(event, UnreadableEvent)} == {
        "2023-11-14 22:13:20.123000+00:00"
    }


def test_whoever_sends_an_event_can_not_say_when_it_came() -> None:
    [event] = ordering_events.batch(seal([placed(put_at="2000-01-01T00:00:00Z")]), "1700000000123-0")

    assert not isinstance(event, UnreadableEvent)
    assert event["put_at"].year == 2023


def test_what_is_no_event_spoils_none_of_its_neighbours() -> None:
    first, second, third = ordering_events.batch(seal([placed(), BAD, placed(order_id=3)]), "1-0")

    assert isinstance(second, UnreadableEvent)
    assert not isinstance(first, UnreadableEvent)
    assert not isinstance(third, UnreadableEvent)
    assert (first["order_id"], third["order_id"]) == (1, 3)
    assert {"put_at"} <= first.keys() & third.keys()


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[]", b"null", b"{}", seal([]), b'{"version":2,"events":[1]}', b'{"version":1,"events":{}}'],
)
def test_what_is_no_batch_is_unreadable_as_a_whole(payload: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        ordering_events.batch(payload, "1-0")


def test_a_part_of_a_batch_is_a_batch() -> None:
    assert unseal(part(seal([placed(), placed(order_id=2)]), 1)) == [json.loads(placed(order_id=2))]


def test_an_event_nested_too_deeply_to_be_written_again_is_unreadable_and_its_neighbours_are_read() -> None:
    deep = b"[" * 500 + b"]" * 500
    good = b'{"version": 1, "type": "OrderCancelled", "order_id": 1, "revision": 2}'
    payload = seal([good, deep, good])

    first, unreadable, last = ordering_events.batch(payload, "0-0")

    assert first == last
    assert isinstance(unreadable, UnreadableEvent)
    assert part(payload, 1) == payload
    assert part(payload, 0) == seal([orjson.dumps(orjson.loads(good))])
