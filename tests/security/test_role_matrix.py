"""Who may do what: each route of the OpenAPI documents, asked by each kind of caller."""

from collections.abc import AsyncIterator

import pytest

from chassis.web.access import Role, Rule
from harness.engine import RedisServer
from harness.issuer import Issuer
from harness.schemas import Schemas
from security.services import CREDENTIALS, ROUTES, Route, Services, running

CALLERS = ["nobody", "a stranger", "a guest", *Role, *CREDENTIALS]


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer") / "jwks.json")


@pytest.fixture(scope="module")
async def services(schemas: Schemas, redis_server: RedisServer, issuer: Issuer) -> AsyncIterator[Services]:
    async with running(schemas, redis_server.url, issuer.settings()) as services:
        yield services


def shown_by(caller: str, issuer: Issuer) -> dict[str, str]:
    """A stranger's token is signed by another issuer's key; a guest's says no role."""
    if caller == "nobody":
        return {}
    if caller in CREDENTIALS:
        return {"Authorization": f"Bearer {CREDENTIALS[caller]}"}
    if caller == "a stranger":
        return Issuer(issuer.jwks.with_name("another.json")).headers("eve", Role.STAFF)
    return issuer.headers("alice", None if caller == "a guest" else caller)


def refusal(rule: Rule, caller: str) -> int | None:
    """401 where it isn't known who asks, 403 where it is and he may not, None where he may."""
    if rule.services:
        return None if caller in rule.services else 401
    if caller == "nobody":
        return None if rule.is_for_anybody else 401
    if caller == "a stranger" or caller in CREDENTIALS:
        return 401
    return None if rule.is_for_anybody or caller in rule.roles else 403


def let_in(route: Route) -> set[int]:
    """How it answers who may: what is named by its id isn't there, nor are the neighbours that health and the proof need."""
    if "{" in route.path and not (route.is_private and route.method == "DELETE"):
        return {404, 422}
    return {200, 422, 503}


async def test_the_documents_tell_of_every_route_that_has_a_rule_and_of_no_other(services: Services) -> None:
    assert services.documented() == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_each_caller_gets_what_the_rule_of_the_route_says(
    services: Services, issuer: Issuer, route: Route
) -> None:
    expected = {caller: refusal(ROUTES[route], caller) for caller in CALLERS}

    answers = {caller: await services.ask(route, shown_by(caller, issuer)) for caller in CALLERS}

    told = {
        caller: answer.status_code if answer.status_code in {401, 403} else None for caller, answer in answers.items()
    }
    assert told == expected
    for caller, answer in answers.items():
        if expected[caller] is None:
            assert answer.status_code in let_in(route), caller
        assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)


async def test_what_is_no_route_is_not_found_whoever_asks(services: Services, issuer: Issuer) -> None:
    for service in services.clients:
        for caller in CALLERS:
            answer = await services.ask(Route(service, "GET", "/api/v1/nothing"), shown_by(caller, issuer))
            assert answer.status_code == 404, (service, caller)


async def test_products_can_be_read_by_anybody_and_changed_by_staff(services: Services, issuer: Issuer) -> None:
    products, body = Route("catalog", "POST", "/api/v1/products"), {"name": "Laptop", "price": 1, "stock": 5}
    catalog = services.clients["catalog"]
    statuses = {
        caller: (await catalog.post(products.path, json=body, headers=shown_by(caller, issuer))).status_code
        for caller in CALLERS
    }
    listed = await catalog.get(products.path)

    assert {caller for caller, status in statuses.items() if status == 201} == {"staff"}
    assert [product["name"] for product in listed.json()] == ["Laptop"]


async def test_two_of_the_staff_with_the_same_key_get_an_answer_each(services: Services, issuer: Issuer) -> None:
    catalog, path = services.clients["catalog"], "/api/v1/products"

    created = [
        await catalog.post(
            path,
            json={"name": f"of {name}", "price": 1, "stock": 5},
            headers={**issuer.headers(name, Role.STAFF), "Idempotency-Key": "a key"},
        )
        for name in ("carol", "dave", "carol")
    ]

    assert [answer.status_code for answer in created] == [201] * 3
    assert [answer.json()["name"] for answer in created] == ["of carol", "of dave", "of carol"]
    assert created[0].json()["id"] == created[2].json()["id"] != created[1].json()["id"]
