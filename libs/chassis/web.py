"""The shape all our FastAPI apps share: strict JSON in, problem documents out, the same probes on every process."""

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from inspect import signature
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, FastAPI, HTTPException, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from starlette.requests import ClientDisconnect

from chassis import problems
from chassis.metrics import Measured, exposition
from chassis.problems import Unavailable, Unprocessable
from chassis.strict_json import strict_json

MAX_BODY_BYTES = 64 * 1024
MAX_PRIVATE_BODY_BYTES = 4 * 1024 * 1024  # a batch of orders, each of many lines
MAX_ID = 2**63 - 1
CHECK_SECONDS = 2.0
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # /metrics has ours

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Checks = Mapping[str, Callable[[], Awaitable[None]]]

# Exact inside, a plain JSON number outside: up to 2**53 / 100 a float prints two places exactly.
Money = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


# The database speaks UTC without saying so; outside, every time says it.
UtcTime = Annotated[datetime, AfterValidator(_utc)]


def whole_number(value: object) -> object:
    """pydantic alone would take "1_0", " 1" and "1.0" for a number in a path or query."""
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,19}", value):
        raise ValueError("must be a whole number")
    return value


def _exact(value: object) -> object:
    """A JSON number arrives as int or Decimal, never as float; strict pydantic wants a Decimal."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _storable(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain NUL or lone surrogates")
    return value


PathId = Annotated[int, BeforeValidator(whole_number), Path(ge=1, le=MAX_ID)]
Price = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, le=Decimal("9999999.99"), decimal_places=2)]
Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, max_digits=16, decimal_places=2)]
Text255 = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_storable)]


class Body(BaseModel):
    """A request body: exact types, no unknown fields, no NaN."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class StrictRequest(Request):
    max_bytes: ClassVar = MAX_BODY_BYTES

    async def json(self) -> Any:
        body = await self.body()
        if len(body) > self.max_bytes:
            raise HTTPException(413, f"The body is longer than {self.max_bytes} bytes")
        return strict_json(body)


class PrivateRequest(StrictRequest):
    max_bytes: ClassVar = MAX_PRIVATE_BODY_BYTES


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


def create_app(title: str, lifespan: Lifespan, checks: Checks, *routers: APIRouter) -> FastAPI:
    """`checks` say what this process needs to do its work: each returns, or raises Unavailable with a sentence.

    Routes are matched in the order given, so the busiest router comes first.
    """
    app = FastAPI(title=title, lifespan=lifespan, redirect_slashes=False, telemetry=NO_TELEMETRY)
    app.add_middleware(Measured)
    problems.install(app)
    for router in (*routers, _probes(checks)):
        app.router.routes.extend(router.routes)  # included, each request would look through routers in routers
    return app


def _probes(checks: Checks) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        await require_all(checks)
        return {"status": "ready"}

    @router.get("/metrics")
    async def metrics() -> Response:
        return exposition()

    return router


async def require_all(checks: Checks) -> None:
    """Ask all at once, 2 s at most; raises Unavailable that names everything that is down."""
    answers = await asyncio.gather(*(_complaint(check) for check in checks.values()))
    down = {name: complaint for name, complaint in zip(checks, answers, strict=True) if complaint}
    if down:
        raise Unavailable("; ".join(f"{name}: {complaint}" for name, complaint in down.items()), down=down)


async def _complaint(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        await asyncio.wait_for(check(), CHECK_SECONDS)
    except TimeoutError:
        return "no answer"
    except Unavailable as error:
        return error.detail
    return None


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
