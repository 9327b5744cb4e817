"""Deny by default, and who comes through which gate: known and allowed, known and refused, or not known at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response, WebSocket
from starlette.responses import PlainTextResponse

from chassis.web.access import ANYBODY, Access, Role, Rules, Unruled, roles, services
from chassis.web.app import create_app
from chassis.web.fields import Body
from chassis.web.head import CallerOf, HeadOf
from chassis.web.routes import private_router, public_router
from harness.asgi import in_one_piece
from harness.issuer import Issuer

SECRETS = {"ordering": ["the old one", "the new one"], "operator": ["another"]}
RULES: Rules = {
    "GET /window": ANYBODY,
    "GET /till": roles(Role.STAFF),
    "GET /cart": roles(Role.CUSTOMER, Role.STAFF),
    "POST /cart": roles(Role.CUSTOMER),
    "GET /private/back-door": services("ordering"),
}


class Thing(Body):
    name: str = "thing"


@asynccontextmanager
async def no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


def the_routes() -> tuple[APIRouter, APIRouter]:
    """Each answers with whom it was called by."""
    public, private = public_router(""), private_router()

    @public.get("/window")
    @public.get("/till")
    @public.get("/cart")
    async def look(caller: CallerOf) -> list[str | None]:
        return [caller.id, caller.role]

    @public.post("/cart")
    async def fill(body: Thing, head: HeadOf) -> Response:
        return PlainTextResponse(head.caller.id, 201)

    @private.get("/back-door")
    async def enter(caller: CallerOf) -> list[str | None]:
        return [caller.id, caller.role]

    return public, private


def an_app(access: Access, *more: APIRouter) -> FastAPI:
    return create_app("tiny", no_lifespan, {}, access, *the_routes(), *more, fast_paths=["/cart"])


def a_client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(in_one_piece(app)), base_url="http://tiny")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer") / "jwks.json")


@pytest.fixture(scope="module")
async def client(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(an_app(Access(RULES, issuer.tokens(), SECRETS))) as client:
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("name", RULES)
def test_an_app_with_a_route_that_has_no_rule_does_not_start(name: str) -> None:
    rules = {route: rule for route, rule in RULES.items() if route != name}

    with pytest.raises(Unruled, match=f"no rule who may {name}$"):
        an_app(Access(rules))


def test_an_app_with_a_rule_that_has_no_route_does_not_start() -> None:
    with pytest.raises(Unruled, match="no route for the rules of DELETE /cart"):
        an_app(Access({**RULES, "DELETE /cart": ANYBODY}))


def test_nor_does_one_with_a_route_that_would_not_ask_its_gate() -> None:
    careless = APIRouter()
    careless.add_api_route("/open", lambda: None, methods=["GET"])

    with pytest.raises(Unruled, match="GET /open would not ask its gate"):
        an_app(Access({**RULES, "GET /open": roles(Role.STAFF)}), careless)


def _a_websocket(router: APIRouter) -> None:
    async def talk(_socket: WebSocket) -> None:
        raise AssertionError

    router.add_api_websocket_route("/hidden", talk)


@pytest.mark.parametrize(
    "add",
    [
        lambda router: router.mount("/hidden", PlainTextResponse("open")),
        lambda router: router.add_route("/hidden", lambda _request: PlainTextResponse("open")),
        lambda router: router.add_api_route("/hidden", lambda: None, methods=["GET", "PATCH"]),
        _a_websocket,
    ],
    ids=["an app", "a plain route", "two methods", "a websocket"],
)
def test_what_is_no_route_of_ours_needs_a_rule_as_well(add: Any) -> None:
    hidden = APIRouter()
    add(hidden)

    with pytest.raises(Unruled, match=r"no rule who may .* /hidden"):
        an_app(Access(RULES), hidden)


def test_a_rule_that_names_nobody_can_not_be_written() -> None:
    """It would be for anybody."""
    for rule in (roles, services):
        with pytest.raises(TypeError):
            rule()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        (Role.STAFF, (200, 200, 200, 403, 401)),
        (Role.CUSTOMER, (200, 403, 200, 201, 401)),
        (["a guest", "customer"], (200, 403, 200, 201, 401)),
        (["customer", "staff"], (200, 200, 200, 403, 401)),
        (None, (200, 403, 403, 403, 401)),
        ("admin", (200, 403, 403, 403, 401)),
        ("STAFF", (200, 403, 403, 403, 401)),
        ({"staff": True}, (200, 403, 403, 403, 401)),
    ],
)
async def test_a_role_opens_the_routes_whose_rules_name_it(
    client: httpx.AsyncClient, issuer: Issuer, role: Any, statuses: tuple[int, ...]
) -> None:
    headers = issuer.headers("alice", role)

    for _ in range(2):  # the second time the token is remembered
        assert await asked(client, headers) == statuses


async def test_without_a_token_only_what_is_for_anybody_is_open(client: httpx.AsyncClient) -> None:
    refused = await client.get("/till")

    assert await asked(client, {}) == (200, 401, 401, 401, 401)
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.headers["Content-Type"] == "application/problem+json"


async def test_a_bad_token_is_refused_also_where_none_is_needed(client: httpx.AsyncClient) -> None:
    assert await asked(client, bearer("nonsense")) == (401, 401, 401, 401, 401)


async def asked(client: httpx.AsyncClient, headers: dict[str, str]) -> tuple[int, ...]:
    """How each route answers, in the order of the rules."""
    calls = [name.split() for name in RULES]
    answers = [
        await client.request(method, path, headers=headers, json={} if method == "POST" else None)
        for method, path in calls
    ]
    return tuple(answer.status_code for answer in answers)


async def test_who_may_not_ask_is_told_so_before_anything_else_is_looked_at(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    bad: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "text/plain", "Idempotency-Key": "\t"}}
    staff = issuer.headers("bob", Role.STAFF)

    unknown = await client.post("/cart?a=1&a=2", **bad)
    refused = await client.post("/cart?a=1&a=2", **{**bad, "headers": {**bad["headers"], **staff}})

    assert (unknown.status_code, refused.status_code) == (401, 403)


async def test_the_endpoint_knows_who_asks(client: httpx.AsyncClient, issuer: Issuer) -> None:
    headers = issuer.headers("alice")

    assert (await client.get("/window")).json() == ["", None]
    assert (await client.get("/window", headers=headers)).json() == ["alice", "customer"]
    for path in ("/cart?unusual", "/cart", "/cart"):
        assert (await client.post(path, json={}, headers=headers)).text == "alice", path


@pytest.mark.parametrize("secret", SECRETS["ordering"])
async def test_both_credentials_of_a_service_count(client: httpx.AsyncClient, secret: str) -> None:
    assert (await client.get("/private/back-door", headers=bearer(secret))).json() == ["ordering", None]


async def test_private_routes_are_for_the_services_that_their_rules_name(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    others = ["another", "the old", "the old one ", "the new one, the old one", issuer.token("ordering", Role.STAFF)]

    statuses = {(await client.get("/private/back-door", headers=bearer(secret))).status_code for secret in others}

    assert statuses == {401}


async def test_a_service_s_credential_opens_no_public_route(client: httpx.AsyncClient) -> None:
    assert await asked(client, bearer("the old one")) == (401, 401, 401, 401, 200)


async def test_a_service_without_credentials_does_not_come_in(issuer: Issuer) -> None:
    async with a_client(an_app(Access(RULES, issuer.tokens()))) as client:
        statuses = [
            (await client.get("/private/back-door", headers=headers)).status_code
            for headers in ({}, bearer(""), {"Authorization": ""}, {"Authorization": "Bearer"})
        ]

    assert statuses == [401] * 4


async def test_without_an_issuer_anybody_may_do_everything_public_and_nothing_private() -> None:
    async with a_client(an_app(Access(RULES, None, SECRETS))) as client:
        assert await asked(client, {}) == (200, 200, 200, 201, 401)
        assert await asked(client, bearer("nonsense")) == (200, 200, 200, 201, 401)
        assert (await client.get("/cart")).json() == ["", "staff"]
