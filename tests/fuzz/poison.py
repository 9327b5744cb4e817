"""Stream entries as no service of ours would write them, among good ones, each with what must become of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from contracts.batches import seal
from contracts.streams import PAYLOAD_FIELD


class Fate(Enum):
    HANDLED = "taken over"
    BURIED = "a dead letter"
    EITHER = "one of the two: odd, and perhaps harmless"


@dataclass(frozen=True)
class Told:
    """An event as bytes. They need not be JSON."""

    payload: bytes
    fate: Fate


@dataclass(frozen=True)
class Entry:
    """`fates` are those of its events, in their order; one alone is that of the whole entry."""

    fields: Mapping[bytes, bytes]
    fates: Sequence[Fate]


NOT_A_NUMBER: list[Any] = [None, True, [], {}, "", "1", 1.5, -1, 0, 2**63, 2**64, -(2**63), 10**40, 1e308]
NOT_A_KIND: list[Any] = [None, 1, "", "orderplaced", "OrderEaten", "OrderPlaced ", "\x00", "📦", [], {}]
NOT_A_VERSION: list[Any] = [None, 0, 2, -1, "1", "", [], {}, 10**40]
ODD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def _dumped(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()


def entries(good: Callable[[], dict[str, Any]]) -> st.SearchStrategy[Entry]:
    """`good` makes an event that must be handled, another one with each call."""
    event = st.one_of(_good(good), _bad(good), _odd(good))
    return st.one_of(_no_batches(good), st.lists(event, min_size=1, max_size=4).map(_sealed))


def _sealed(told: Sequence[Told]) -> Entry:
    return Entry({PAYLOAD_FIELD: seal([one.payload for one in told])}, [one.fate for one in told])


def _good(good: Callable[[], dict[str, Any]]) -> st.SearchStrategy[Told]:
    return st.builds(lambda: Told(_dumped(good()), Fate.HANDLED))


def _bad(good: Callable[[], dict[str, Any]]) -> st.SearchStrategy[Told]:
    """JSON that no version of ours means anything by."""

    def with_(**changed: Any) -> Told:
        return Told(_dumped(good() | changed), Fate.BURIED)

    def without(member: str) -> Told:
        return Told(_dumped({name: value for name, value in good().items() if name != member}), Fate.BURIED)

    return st.one_of(
        st.sampled_from(NOT_A_NUMBER).map(lambda value: with_(order_id=value)),
        st.sampled_from([*NOT_A_NUMBER, 2**31]).map(lambda value: with_(revision=value)),
        st.sampled_from(NOT_A_KIND).map(lambda value: with_(type=value)),
        st.sampled_from(NOT_A_VERSION).map(lambda value: with_(version=value)),
        st.sampled_from(["version", "type", "order_id", "revision"]).map(without),
        ODD_VALUES.map(lambda value: Told(json.dumps([value]).encode(), Fate.BURIED)),
        st.integers(1, 900).map(lambda depth: Told(b"[" * depth + b"]" * depth, Fate.BURIED)),
    )


def _odd(good: Callable[[], dict[str, Any]]) -> st.SearchStrategy[Told]:
    """A good event with something about it that two parsers may read in two ways."""

    def twice(member: str, value: object) -> Told:
        return Told(_dumped(good())[:-1] + f", {json.dumps(member)}: {json.dumps(value)}}}".encode(), Fate.EITHER)

    return st.one_of(
        st.builds(twice, st.sampled_from(["order_id", "type", "version", "items"]), ODD_VALUES),
        st.builds(twice, st.text(), ODD_VALUES),
        st.integers(1, 900).map(lambda depth: Told(_nested(good(), depth), Fate.EITHER)),
    )


def _nested(event: Mapping[str, Any], depth: int) -> bytes:
    return _dumped(event)[:-1] + b', "more": ' + b"[" * depth + b"]" * depth + b"}"


def _no_batches(good: Callable[[], dict[str, Any]]) -> st.SearchStrategy[Entry]:
    """Whole entries that hold no batch."""

    def truncated(length: int) -> bytes:
        return seal([_dumped(good())])[:length]

    def versioned(version: object) -> bytes:
        return b'{"version": ' + json.dumps(version).encode() + b', "events": [' + _dumped(good()) + b"]}"

    payloads = st.one_of(
        st.binary(max_size=100),
        st.integers(0, 60).map(truncated),
        st.sampled_from(NOT_A_VERSION).map(versioned),
        ODD_VALUES.map(lambda value: json.dumps(value).encode()),
        st.sampled_from([b"[" * 100_000, b"{" * 2000, b"9" * 5000, b'"' + b"\xff" * 100 + b'"', b'{"version":1}']),
    )
    # A lone surrogate is no character: some parsers refuse the whole document for it.
    surrogates = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3)
    odd_text = st.builds(lambda text: seal([_dumped(good() | {"more": text})]), surrogates)
    other_fields = st.dictionaries(st.binary(min_size=1, max_size=20), st.binary(max_size=50), min_size=1, max_size=3)
    return st.one_of(
        payloads.map(lambda payload: Entry({PAYLOAD_FIELD: payload}, [Fate.BURIED])),
        odd_text.map(lambda payload: Entry({PAYLOAD_FIELD: payload}, [Fate.EITHER])),
        other_fields.map(lambda fields: Entry(fields, [Fate.BURIED])),
    )
