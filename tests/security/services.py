"""The apis of all three services in this process: with tokens, on real schemas and a real Redis, and no neighbours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

import catalog.access
import catalog.api
import catalog.settings
import fulfilment.access
import fulfilment.api
import fulfilment.settings
import ordering.access
import ordering.api
import ordering.settings
from chassis.web.access import Rule, Rules
from chassis.web.auth import AuthSettings
from harness.schemas import Schemas

RULES: dict[str, Rules] = {
    "catalog": catalog.access.RULES,
    "ordering": ordering.access.RULES,
    "fulfilment": fulfilment.access.RULES,
}
CREDENTIALS = {"ordering": "the credential of ordering", "operator": "the credential of an operator"}
NOBODY_THERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Route:
    service: str
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.service}: {self.method} {self.path}"

    @property
    def is_private(self) -> bool:
        return self.path.startswith("/private/")


ROUTES: dict[Route, Rule] = {
    Route(service, *name.split()): rule for service, rules in RULES.items() for name, rule in rules.items()
}


def _apps(schemas: Schemas, redis_url: str, auth: AuthSettings) -> dict[str, FastAPI]:
    urls = {service: schemas.empty(service).url for service in RULES}
    ordering_token, operator_token = CREDENTIALS["ordering"], CREDENTIALS["operator"]
    return {
        "catalog": catalog.api.build(
            catalog.settings.Settings(
                database_url=urls["catalog"], ordering_tokens=(ordering_token,), connections=1, auth=auth
            )
        ),
        "ordering": ordering.api.build(
            ordering.settings.Settings(
                database_url=urls["ordering"],
                redis_url=redis_url,
                catalog_url=NOBODY_THERE,
                fulfilment_url=NOBODY_THERE,
                catalog_token=ordering_token,
                operator_tokens=(operator_token,),
                connections=1,
                auth=auth,
            )
        ),
        "fulfilment": fulfilment.api.build(
            fulfilment.settings.Settings(
                database_url=urls["fulfilment"],
                redis_url=redis_url,
                operator_tokens=(operator_token,),
                connections=1,
                auth=auth,
            )
        ),
    }


@dataclass
class Services:
    apps: dict[str, FastAPI]
    clients: dict[str, httpx.AsyncClient]

    def documented(self) -> set[Route]:
        """What their OpenAPI documents tell of."""
        return {
            Route(service, method.upper(), path)
            for service, app in self.apps.items()
            for path, methods in app.openapi()["paths"].items()
            for method in methods
        }

    async def ask(self, route: Route, headers: dict[str, str]) -> httpx.Response:
        """Of something that isn't there, with an empty object where a body may be sent."""
        path = "/".join("4711" if part.startswith("{") else part for part in route.path.split("/"))
        body: dict[str, Any] | None = {} if route.method in {"POST", "PUT"} else None
        return await self.clients[route.service].request(route.method, path, headers=headers, json=body)


@asynccontextmanager
async def running(schemas: Schemas, redis_url: str, auth: AuthSettings) -> AsyncIterator[Services]:
    apps = _apps(schemas, redis_url, auth)
    clients = {
        service: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{service}")
        for service, app in apps.items()
    }
    yield Services(apps, clients)
    for service, app in apps.items():
        await clients[service].aclose()
        async with app.router.lifespan_context(app):
            """Leaving it closes what the app holds."""
