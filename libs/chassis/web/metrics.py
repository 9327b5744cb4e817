"""What every process measures, in Prometheus' text format on /metrics."""

import time

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import request_ids

requests = Histogram(
    "http_request_seconds",
    "Time from request to response, by route and status",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

stock_differences = Gauge("stock_differences", "Differences that the last stock proof of this process found")


class Measured:
    """Measures each request, and makes its id known. The gateway sends one; nobody else makes it up.

    Pure ASGI: Starlette's BaseHTTPMiddleware would cost a task and a stream for every request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_ids.enter(scope["headers"])

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unmatched")
                seconds = time.perf_counter() - started
                requests.labels(scope["method"], route, message["status"]).observe(seconds)
            await send(message)

        await self.app(scope, receive, note)


def exposition() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
