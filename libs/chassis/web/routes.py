"""The routes of all our FastAPI apps: strict JSON in, and only from those who may."""

import hmac
import json
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from inspect import signature
from typing import Any, ClassVar

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from chassis.problems import Unprocessable
from chassis.web.strict_json import strict_json

MAX_BODY_BYTES = 64 * 1024
MAX_PRIVATE_BODY_BYTES = 4 * 1024 * 1024  # a batch of orders, each of many lines


class StrictRequest(Request):
    max_bytes: ClassVar = MAX_BODY_BYTES

    async def json(self) -> Any:
        body = await self.body()
        if len(body) > self.max_bytes:
            raise HTTPException(413, f"The body is longer than {self.max_bytes} bytes")
        return self.parse(body)

    def parse(self, body: bytes) -> Any:
        return strict_json(body)


class PrivateRequest(StrictRequest):
    """Our own services write nothing that could be read in two ways, and send decimals as strings."""

    max_bytes: ClassVar = MAX_PRIVATE_BODY_BYTES

    def parse(self, body: bytes) -> Any:
        return orjson.loads(body)


class StrictRoute(APIRoute):
    """An endpoint of the form `(body) -> Response` or `(body, request) -> Response` is called directly.

    FastAPI knows and documents its signature as any other, and its body is validated as any other, but the request doesn't
    pass through dependencies and the making of a response, which it hasn't: most of what FastAPI costs.
    """

    request_class: ClassVar[type[StrictRequest]] = StrictRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        form = signature(self.endpoint)
        names = form.parameters.keys()
        direct = {"body"} <= names <= {"body", "request"} and form.return_annotation is Response
        handle = partial(self._call_directly, names) if direct else super().get_route_handler()

        async def strict(request: Request) -> Response:
            self.admit(request)
            return await handle(self.request_class(request.scope, request.receive))

        return strict

    def admit(self, request: Request) -> None:
        """Raises what is wrong with the request before its body is read."""
        _require_single_parameters(request)
        if self.body_field is not None:
            _require_json(request)

    async def _call_directly(self, names: Collection[str], request: Request) -> Response:
        assert self.body_field is not None
        assert isinstance(request, StrictRequest)
        given = await _sent(request)
        value, errors = self.body_field.validate(given, {}, loc=("body",))
        if errors:
            raise RequestValidationError(errors, body=given)
        known = {"body": value, "request": request}
        response: Response = await self.endpoint(**{name: known[name] for name in names})
        return response


async def _sent(request: StrictRequest) -> Any:
    """Its JSON, and the answers that FastAPI has for what is none."""
    try:
        return await request.json()
    except json.JSONDecodeError as error:
        wrong = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error", "input": {}}
        raise RequestValidationError([wrong]) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The body did not arrive") from error


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


def private_router(token: str) -> APIRouter:
    """Routes for the other services: never through the gateway, and only with the service token."""
    expected = f"Bearer {token}".encode()

    class PrivateRoute(StrictRoute):
        request_class: ClassVar = PrivateRequest

        def admit(self, request: Request) -> None:
            given = b"".join(header_values(request, b"authorization"))
            if not hmac.compare_digest(given, expected):
                raise HTTPException(401, "The service token is missing or wrong")
            super().admit(request)

    return APIRouter(prefix="/private", route_class=PrivateRoute)
