"""Whatever is sent to the route with the fast path: the answer is the one FastAPI gives, byte for byte."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import Field

from chassis.problems import Conflict, Unavailable
from chassis.web.access import ANYBODY, Access
from chassis.web.app import create_app
from chassis.web.fields import Body, Price, Text255
from chassis.web.head import Head, HeadOf
from chassis.web.routes import MAX_BODY_BYTES, public_router

PATH = "/things"
JSON = (b"content-type", b"application/json")
RAISED = {
    "conflict": Conflict("It has changed", version=7),
    "away": Unavailable("Not now"),
    "crash": LookupError("secret"),
}


class Thing(Body):
    """All optional, so that even an empty object is one."""

    name: Text255 = "thing"
    amount: Annotated[int, Field(ge=1, le=10_000)] | None = None
    price: Price | None = None


Created = tuple[Thing, Head]


@asynccontextmanager
async def no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


@dataclass
class App:
    """`created` is what its endpoint was called with."""

    is_fast: bool
    created: list[Created] = field(default_factory=list)

    def __post_init__(self) -> None:
        router = public_router(PATH)

        @router.post("")
        async def create(body: Thing, head: HeadOf) -> Response:
            self.created.append((body, head))
            if body.name in RAISED:
                raise RAISED[body.name]
            return Response(body.model_dump_json(), 201, {"Location": "/things/1"}, media_type="application/json")

        access = Access({f"POST {PATH}": ANYBODY})
        self.asgi = create_app("tiny", no_lifespan, {}, access, router, fast_paths=[PATH] if self.is_fast else [])


@dataclass(frozen=True)
class Request:
    parts: tuple[bytes, ...] = (b"{}",)
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)
    method: str = "POST"
    path: str = PATH
    query: bytes = b""
    is_cut_off: bool = False

    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "query_string": self.query,
            "headers": list(self.headers),
        }

    def messages(self) -> list[dict[str, Any]]:
        last = len(self.parts) - 1
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": n < last or self.is_cut_off}
            for n, part in enumerate(self.parts)
        ]
        return [*messages, {"type": "http.disconnect"}]


@dataclass
class Told:
    """What an app sent, what was created, whether FastAPI's router saw it, and how many messages were asked for."""

    sent: list[Any]
    created: list[Created]
    by_fastapi: bool
    received: int


def tell(app: App, request: Request) -> Told:
    app.created.clear()
    scope, messages, sent = request.scope(), request.messages(), list[Any]()
    before = len(messages)

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> None:
        try:
            await app.asgi(scope, receive, send)
        except LookupError as error:  # Starlette answers a crash, and then lets the server log it
            sent.append(repr(error))

    asyncio.run(call())
    return Told(sent, list(app.created), "router" in scope, before - len(messages))


WITH, WITHOUT = App(is_fast=True), App(is_fast=False)

NAMES = st.sampled_from(["thing", "é", "\ud800", " ", *RAISED])
VALUES = st.one_of(
    st.integers(-1, 10_001), st.decimals("-0.01", 100, places=2), st.booleans(), st.none(), st.text("aé", max_size=3)
)
MEMBERS = {"name": NAMES | VALUES, "amount": VALUES, "price": VALUES, "other": VALUES}
OBJECTS = st.dictionaries(st.sampled_from([*MEMBERS]), st.none(), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: MEMBERS[name] for name in names})
)
ODD = [
    b"", b"null", b"[]", b"1.5", b'"x"', b"{} {}", b'{"amount": 1, "amount": 2}', b'{"price": NaN}', b'{"name": "\xff"}',
    b"\xef\xbb\xbf{}", b"[" * 20_000,
    b'{"amount": 1', b'{"price": 1e99999999999999999999}', b'{"amount": ' + b"9" * 5000 + b"}",
    b" " * (MAX_BODY_BYTES - 2) + b"{}", b" " * (MAX_BODY_BYTES - 1) + b"{}",
]  # fmt: skip
BODIES = (
    OBJECTS.map(lambda body: json.dumps(body, default=float).encode()) | st.sampled_from(ODD) | st.binary(max_size=8)
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *[JSON] * 6,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-type", b"text/plain"),
            (b"content-encoding", b"identity"),
            (b"content-encoding", b"gzip"),
            (b"idempotency-key", b"a key"),
            (b"idempotency-key", b"another"),
            (b"idempotency-key", b""),
            (b"idempotency-key", b"\xe4"),
            (b"idempotency-key", b"k" * 256),
            (b"x-time-left-ms", b"1500"),
            (b"x-time-left-ms", b"0"),
            (b"x-time-left-ms", b"-1"),
            (b"x-time-left-ms", b"soon"),
            (b"expect", b"100-continue"),
            (b"host", b"tiny"),
        ]
    ),
    max_size=4,
).map(lambda some: tuple(dict.fromkeys(some)))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Ordinary in most ways, each time odd in others."""
    body = draw(BODIES)
    cut = draw(st.sampled_from([None, None, len(body) // 2]))
    return Request(
        parts=(body,) if cut is None else (body[:cut], body[cut:]),
        headers=draw(st.just((JSON,)) | HEADERS),
        method=draw(st.sampled_from(["POST"] * 6 + ["HEAD", "OPTIONS", "GET", "PUT"])),
        path=draw(st.sampled_from([PATH] * 6 + [f"{PATH}/", "/things%2f", "/"])),
        query=draw(st.sampled_from([b""] * 6 + [b"a=1", b"a=1&a=2", b"%"])),
        is_cut_off=draw(st.sampled_from([False] * 6 + [True])),
    )


@given(requests())
def test_it_answers_and_does_what_fastapi_answers_and_does(request: Request) -> None:
    fast, plain = tell(WITH, request), tell(WITHOUT, request)

    assert fast.sent == plain.sent
    assert fast.created == plain.created
    assert fast.received == plain.received


@given(
    OBJECTS,
    st.sampled_from([(), ((b"idempotency-key", b"a key"),)]),
    st.sampled_from([(), ((b"x-time-left-ms", b"1500"),)]),
)
def test_an_ordinary_request_goes_past_fastapi_exactly_if_it_is_valid(body: Any, key: Any, left: Any) -> None:
    request = Request((json.dumps(body, default=float).encode(),), ((b"host", b"tiny"), JSON, *key, *left))

    fast = tell(WITH, request)

    assert fast.by_fastapi == (not fast.created)
    told = [(head.key, head.seconds_left) for _, head in fast.created]
    assert told in ([], [("a key" if key else None, 1.5 if left else None)])


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ([], None),
        ([b"1500"], 1.5),
        ([b"0"], 0),
        ([b"-1"], None),
        ([b"soon"], None),
        ([b"1", b"2"], None),
        ([b"9" * 10], None),
    ],
)
def test_the_time_left_is_a_number_of_milliseconds_and_anything_else_says_nothing(
    said: list[bytes], left: float | None
) -> None:
    request = Request(headers=(JSON, *((b"x-time-left-ms", one) for one in said)))

    [(_, fast)], [(_, plain)] = tell(WITH, request).created, tell(WITHOUT, request).created

    assert fast.seconds_left == plain.seconds_left == left


UNUSUAL = {
    "another method": Request(method="PUT"),
    "another path": Request(path=f"{PATH}/"),
    "a query": Request(query=b"a=1"),
    "no content type": Request(headers=()),
    "more said of the content type": Request(headers=((b"content-type", b"application/json; charset=utf-8"),)),
    "an encoding": Request(headers=(JSON, (b"content-encoding", b"gzip"))),
    "two keys": Request(headers=(JSON, (b"idempotency-key", b"a"), (b"idempotency-key", b"b"))),
    "a key that can't be kept": Request(headers=(JSON, (b"idempotency-key", b"\t"))),
    "an encoding that is none": Request(headers=(JSON, (b"content-encoding", b"identity"))),
    "two times": Request(headers=(JSON, (b"x-time-left-ms", b"1"), (b"x-time-left-ms", b"2"))),
    "nobody there any more": Request(()),
    "two parts": Request((b"{", b"}")),
    "a part and no more": Request((b"{}",), is_cut_off=True),
    "no JSON": Request((b"{",)),
    "a member twice": Request((b'{"amount": 1, "amount": 1}',)),
    "a body that is not valid": Request((b'{"amount": 0}',)),
    "a long body": Request((b" " * MAX_BODY_BYTES + b"{}",)),
}


@pytest.mark.parametrize("request_", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_what_is_unusual_is_answered_by_fastapi_which_gets_it_whole(request_: Request) -> None:
    fast, plain = tell(WITH, request_), tell(WITHOUT, request_)

    assert (fast.sent, fast.created, fast.received) == (plain.sent, plain.created, plain.received)
    assert fast.by_fastapi


@pytest.mark.parametrize("name", ["thing", *RAISED])
def test_the_endpoint_is_called_once_whatever_it_raises(name: str) -> None:
    fast = tell(WITH, Request((json.dumps({"name": name}).encode(),)))

    assert len(fast.created) == 1
    assert not fast.by_fastapi


@pytest.mark.parametrize(("name", "status"), [("thing", 201), ("conflict", 409), ("away", 503), ("crash", 500)])
def test_it_is_measured_as_fastapi_is(name: str, status: int) -> None:
    request = Request((json.dumps({"name": name}).encode(),))
    labels = {"method": "POST", "route": PATH, "status": str(status)}

    def counted() -> float:
        return REGISTRY.get_sample_value("http_request_seconds_count", labels) or 0

    before = counted()
    tell(WITHOUT, request)
    by_fastapi = counted() - before
    tell(WITH, request)

    assert counted() - before - by_fastapi == by_fastapi
