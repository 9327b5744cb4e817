"""The OpenAPI documents say of each route who may call it, how it refuses, and what it is for."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI

from catalog import api as catalog
from catalog.access import RULES as CATALOG_RULES
from catalog.settings import Settings as CatalogSettings
from chassis.web.access import Rule, Rules
from fulfilment import api as fulfilment
from fulfilment.access import RULES as FULFILMENT_RULES
from fulfilment.settings import Settings as FulfilmentSettings
from ordering import api as ordering
from ordering.access import RULES as ORDERING_RULES
from ordering.settings import Settings as OrderingSettings

NOWHERE = "127.0.0.1:1"  # an app connects when it is first asked for something
MYSQL, REDIS, HTTP = f"mysql+pymysql://{NOWHERE}/none", f"redis://{NOWHERE}/0", f"http://{NOWHERE}"
SECRETS = ("a secret",)
RULES: dict[str, Rules] = {"catalog": CATALOG_RULES, "ordering": ORDERING_RULES, "fulfilment": FULFILMENT_RULES}
each_service = pytest.mark.parametrize("service", RULES)


@cache
def built(service: str) -> FastAPI:
    if service == "catalog":
        return catalog.build(CatalogSettings(database_url=MYSQL, ordering_tokens=SECRETS))
    if service == "fulfilment":
        return fulfilment.build(FulfilmentSettings(database_url=MYSQL, redis_url=REDIS, operator_tokens=SECRETS))
    settings = OrderingSettings(
        database_url=MYSQL,
        redis_url=REDIS,
        catalog_url=HTTP,
        fulfilment_url=HTTP,
        catalog_token=SECRETS[0],
        operator_tokens=SECRETS,
    )
    return ordering.build(settings)


def operations(service: str) -> Iterator[tuple[str, dict[str, Any], Rule]]:
    for path, methods in built(service).openapi()["paths"].items():
        for method, operation in methods.items():
            route = f"{method.upper()} {path}"
            yield route, operation, RULES[service][route]


@each_service
def test_every_rule_has_its_route_in_the_document(service: str) -> None:
    assert {route for route, *_ in operations(service)} == set(RULES[service])


@each_service
def test_every_route_has_a_name_for_generated_clients_and_a_sentence_for_people(service: str) -> None:
    names = Counter(operation["operationId"] for _, operation, _ in operations(service))
    without = [
        route for route, operation, _ in operations(service) if not operation.get("description", "").endswith(".")
    ]

    assert without == []
    assert [name for name, count in names.items() if count > 1 or not name.isidentifier() or name.endswith("_")] == []


@each_service
def test_who_may_call_a_route_stands_there(service: str) -> None:
    for route, operation, rule in operations(service):
        said = {name: set(who) for needed in operation.get("security", ()) for name, who in needed.items()}
        wanted = {"token": {str(role) for role in rule.roles}, "service": set(rule.services)}

        assert said == {name: who for name, who in wanted.items() if who}, route


@each_service
def test_every_refusal_is_a_problem_document(service: str) -> None:
    document = built(service).openapi()

    for route, operation, _ in operations(service):
        refusals = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert {"401", "422", "503"} <= refusals.keys(), route
        for answer in refusals.values():
            described = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert list(described["content"]) == ["application/problem+json"]
            assert described["description"].endswith(".")
    assert "HTTPValidationError" not in document["components"]["schemas"]
