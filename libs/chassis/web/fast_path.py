"""The fast path: an ordinary request to the busiest route is answered past FastAPI, which would cost more than the work.

It refuses nothing. A request with anything unusual about it goes to FastAPI, whole, as if nobody had looked at it.
"""

from typing import Any

from fastapi import HTTPException, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.problems import Problem
from chassis.web.idempotency import PRINTABLE
from chassis.web.routes import MAX_BODY_BYTES
from chassis.web.strict_json import strict_json


class FastPath:
    """Pure ASGI. `route` is a POST whose endpoint takes `(body, key: IdempotencyKey)`, returns a Response, raises Problems.

    FastAPI has the same route, so what is unusual is answered by the same endpoint. Once that was called here, nothing is
    handed on any more: it may have done something.
    """

    def __init__(self, app: ASGIApp, route: APIRoute) -> None:
        assert route.body_field is not None
        self.app = app
        self.route = route
        self.validate = route.body_field.validate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_ordinary(scope):
            message = await receive()
            body = self._valid_body(message)
            if body is not None:
                response = await self._answer(scope, body)
                await response(scope, receive, send)
                return
            receive = _again(message, receive)
        await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, body: Any) -> Response:
        scope["route"] = self.route  # by its name the request is measured
        key = dict(scope["headers"]).get(b"idempotency-key")
        try:
            response: Response = await self.route.endpoint(body, None if key is None else key.decode())
        except Problem as problem:
            return problem.response()
        return response

    def _is_ordinary(self, scope: Scope) -> bool:
        """By its head. The body is not asked for before, because who expects a `100 Continue` may be refused without one."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != self.route.path:
            return False
        headers = dict(scope["headers"])
        key = headers.get(b"idempotency-key")
        return (
            not scope["query_string"]
            and len(headers) == len(scope["headers"])  # none is given twice
            and headers.get(b"content-type") == b"application/json"
            and b"content-encoding" not in headers
            and (key is None or PRINTABLE.fullmatch(key) is not None)
        )

    def _valid_body(self, message: Message) -> Any | None:
        """None also for one that comes in parts, is too long, or doesn't come: a disconnect has no body."""
        sent = message.get("body", b"")
        if message.get("more_body") or len(sent) > MAX_BODY_BYTES:
            return None
        try:
            body, _ = self.validate(strict_json(sent), {}, loc=("body",))
        except (HTTPException, ValueError):
            return None
        return body


def _again(message: Message, receive: Receive) -> Receive:
    """`receive`, with the message that was taken from it already."""
    taken = [message]

    async def from_the_start() -> Message:
        return taken.pop() if taken else await receive()

    return from_the_start
