"""The routes of all our FastAPI apps: strict JSON in, and only from those who may."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import orjson
from fastapi import APIRouter, HTTPException, Request, Response

from chassis.problems import Unprocessable
from chassis.web.access import OPERATOR, Gated, operator
from chassis.web.strict_json import strict_json

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
MAX_PRIVATE_BODY_BYTES = 4 * 1024 * 1024  # a batch of orders, each of many lines


class StrictRequest(Request):
    max_bytes: ClassVar = MAX_BODY_BYTES

    async def json(self) -> Any:
        body = await self.body()
        if len(body) > self.max_bytes:
            raise HTTPException(413, f"The body is longer than {self.max_bytes} bytes")
        return self.parse(body)

    @staticmethod
    def parse(body: bytes) -> Any:
        return strict_json(body)


class PrivateRequest(StrictRequest):
    """Our own services write nothing that could be read in two ways, and send decimals as strings."""

    max_bytes: ClassVar = MAX_PRIVATE_BODY_BYTES

    @staticmethod
    def parse(body: bytes) -> Any:
        return orjson.loads(body)


class StrictRoute(Gated):
    request_class: ClassVar[type[StrictRequest]] = StrictRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            await self.admit(request)
            return await handle(self.request_class(request.scope, request.receive))

        return strict

    async def admit(self, request: Request) -> None:
        """Raises what is wrong with the request before its body is read: first of all that this caller may not ask."""
        authorization = header_values(request, b"authorization")
        request.scope["caller"] = await self.gate.admit(b", ".join(authorization) if authorization else None)
        _require_single_parameters(request)
        if self.body_field is not None:
            _require_json(request)


class PrivateRoute(StrictRoute):
    """What an operator asks is logged with who it was: some of it leaves no other trace, such as a discarded dead letter."""

    request_class: ClassVar = PrivateRequest

    async def admit(self, request: Request) -> None:
        await super().admit(request)
        if request.scope["caller"].id == OPERATOR:
            persons = header_values(request, b"x-acting-for")
            caller = operator(b", ".join(persons) if persons else None)
            request.scope["caller"] = caller
            log.info("%s %s by %s", request.method, request.url.path, caller.id)


def _require_single_parameters(request: Request) -> None:
    if request.scope["query_string"] and len(request.query_params.multi_items()) != len(request.query_params):
        raise Unprocessable("A query parameter is given twice")


def header_values(request: Request, name: bytes) -> list[bytes]:
    """As they came, in order. Starlette's `headers` would decode every header for each look-up."""
    return [value for key, value in request.scope["headers"] if key == name]


def _require_json(request: Request) -> None:
    if any(encoding != b"identity" for encoding in header_values(request, b"content-encoding")):
        raise HTTPException(415, "Send the body uncompressed")
    content_types = header_values(request, b"content-type")
    if not content_types or content_types[0].partition(b";")[0].strip().lower() != b"application/json":
        raise HTTPException(415, "Send the body as application/json")


def public_router(prefix: str) -> APIRouter:
    """Routes that the gateway leads to."""
    return APIRouter(prefix=prefix, route_class=StrictRoute)


def private_router() -> APIRouter:
    """Routes for the other services and for operators: never through the gateway."""
    return APIRouter(prefix="/private", route_class=PrivateRoute)
