"""Putting an app together: routes, probes, and problem documents for whatever goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI, Response
from fastapi.telemetry import TelemetryConfig

from chassis.problems import Unavailable
from chassis.web import errors, openapi
from chassis.web.access import Access
from chassis.web.fast_path import FastPath
from chassis.web.metrics import Measured, exposition
from chassis.web.routes import StrictRoute

CHECK_SECONDS = 2.0
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # /metrics has ours

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Checks = Mapping[str, Callable[[], Awaitable[None]]]


def create_app(
    title: str, lifespan: Lifespan, checks: Checks, access: Access, *routers: APIRouter, fast_paths: Sequence[str] = ()
) -> FastAPI:
    """`checks` say what this process needs to do its work: each returns, or raises Unavailable with a sentence.

    Routes are matched in the order given, so the busiest router comes first. The POSTs at `fast_paths` are of the form that
    FastPath wants.
    """
    app = FastAPI(title=title, lifespan=lifespan, redirect_slashes=False, telemetry=NO_TELEMETRY)
    errors.install(app)
    for router in (*routers, _probes(checks)):
        app.router.routes.extend(router.routes)  # included, each request would look through routers in routers
    access.guard(app)
    openapi.complete(app, access.rules)
    posts = (route for route in app.routes if isinstance(route, StrictRoute) and route.methods == {"POST"})
    fast = {route.path: route for route in posts if route.path in fast_paths}
    if fast:
        app.add_middleware(FastPath, routes=fast)
    app.add_middleware(Measured)
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
