"""The fast path: an ordinary request to a busy route is answered past FastAPI, which would cost more than the work.

It refuses nothing. A request with anything unusual about it goes to FastAPI, whole, as if nobody had looked at it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import HTTPException, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.problems import Problem
from chassis.web.head import PRINTABLE, Head
from chassis.web.routes import StrictRoute


class Ordinary(NamedTuple):
    """A request of which nothing but the body is left to be looked at."""

    route: StrictRoute
    head: Head


class FastPath:
    """Pure ASGI. `routes`, by path, are POSTs whose endpoints take `(body, head: HeadOf)`, return a Response, raise Problems.

    FastAPI has the same routes, so what is unusual is answered by the same endpoint. Once that was called here, nothing is
    handed on any more: it may have done something.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[str, StrictRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ordinary = self._ordinary(scope)
        if ordinary is not None:
            message = await receive()
            body = _valid_body(ordinary.route, message)
            if body is not None:
                response = await _answer(ordinary, scope, body)
                await response(scope, receive, send)
                return
            receive = _again(message, receive)
        await self.app(scope, receive, send)

    def _ordinary(self, scope: Scope) -> Ordinary | None:
        """By its head. The body is not asked for before, because who expects a `100 Continue` may be refused without one."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return None
        route = self.routes.get(scope["path"])
        headers = dict(scope["headers"])
        if (
            route is None
            or len(headers) < len(scope["headers"])  # one is given twice
            or headers.get(b"content-type") != b"application/json"
            or b"content-encoding" in headers
        ):
            return None
        key = headers.get(b"idempotency-key")
        caller = route.gate.known(headers.get(b"authorization"))
        if caller is None or (key is not None and PRINTABLE.fullmatch(key) is None):
            return None
        return Ordinary(route, Head(caller, None if key is None else key.decode()))


async def _answer(ordinary: Ordinary, scope: Scope, body: Any) -> Response:
    scope["route"] = ordinary.route  # by its name the request is measured
    try:
        response: Response = await ordinary.route.endpoint(body, ordinary.head)
    except Problem as problem:
        return problem.response()
    return response


def _valid_body(route: StrictRoute, message: Message) -> Any | None:
    """None also for one that comes in parts, is too long, or doesn't come: a disconnect has no body."""
    assert route.body_field is not None
    sent = message.get("body", b"")
    if message.get("more_body") or len(sent) > route.request_class.max_bytes:
        return None
    try:
        body, _ = route.body_field.validate(route.request_class.parse(sent), {}, loc=("body",))
    except (HTTPException, ValueError):
        return None
    return body


def _again(message: Message, receive: Receive) -> Receive:
    """`receive`, with the message that was taken from it already."""
    taken = [message]

    async def from_the_start() -> Message:
        return taken.pop() if taken else await receive()

    return from_the_start
