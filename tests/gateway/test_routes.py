"""What is public, and that nothing else can be reached, however it is spelt."""

import pytest

from gateway.echo import Reach

PUBLIC = {
    "/health": "ordering",
    "/api/v1/products": "catalog",
    "/api/v1/products/1": "catalog",
    "/api/v1/products/1/stock-adjustments": "catalog",
    "/api/v1/products/1/stock-movements": "catalog",
    "/api/v1/orders": "ordering",
    "/api/v1/orders/1": "ordering",
    "/api/v1/orders/1/cancel": "ordering",
    "/api/v1/orders/1/redrive": "ordering",
    "/api/v1/orders/1/timeline": "ordering",
}
PRIVATE = ["/private/reservations", "/livez", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/", "/api/v1"]
TRICKS = [
    "//private/reservations",
    "/api/v1//products",
    "/%70rivate/reservations",
    "/api/v1/products/../../../private/reservations",
    "/api/v1/products/%2e%2e/%2e%2e/%2e%2e/private/reservations",
    "/api/v1/products/..%2f..%2f..%2fprivate/reservations",
    "/api/v1/products/..;/..;/..;/private/reservations",
    "/api/v1/products/1/..\\..\\private",
    "/api/v1/products/1%2f..%2f..%2f..%2f..%2fprivate",
    "/api/v1/products%0a",
    "/api/v1/products/1%0d%0aX-Evil:1",
    "/api/v1/products/1%3f",
    "/api/v1/products/1%23",
    "/api/v1/products;a=b",
    "/PRIVATE/reservations",
    "/Api/v1/products",
    "http://catalog:8101/private/reservations",
    "http://127.0.0.1/metrics",
    "/again/private/reservations",
    "/once/private/reservations",
    "/again/api/v1/products",
    "/problem",
]


@pytest.mark.parametrize(("path", "service"), PUBLIC.items())
@pytest.mark.parametrize("slash", ["", "/"])
def test_public_routes_reach_their_service_with_and_without_trailing_slash(
    gateway: Reach, path: str, service: str, slash: str
) -> None:
    answer = gateway(f"{path}{slash}?limit=2&after=%2F")

    assert answer.status == 200
    assert answer.json()["service"].removesuffix("-2") == service
    assert answer.json()["path"] == f"{path}?limit=2&after=%2F"


@pytest.mark.parametrize("path", [*PRIVATE, *TRICKS])
def test_nothing_else_can_be_reached(gateway: Reach, path: str) -> None:
    answer = gateway(path)

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert [service.seen for service in gateway.services.values()] == [[], [], []]


@pytest.mark.parametrize(
    "header", ["X-Original-URL: /private/x", "X-Rewrite-URL: /private/x", "X-Forwarded-Prefix: /private"]
)
def test_headers_cannot_lead_elsewhere(gateway: Reach, header: str) -> None:
    answer = gateway("/api/v1/products", "GET", header)

    assert answer.json()["path"] == "/api/v1/products"
    assert header.split(":", maxsplit=1)[0].lower() not in answer.json()["headers"]


def test_other_spellings_of_a_public_path_arrive_in_one_spelling(gateway: Reach) -> None:
    answer = gateway("/api/v1/./products/x/../%31")

    assert answer.json()["path"] == "/api/v1/products/1"


def test_the_health_check_of_the_gateway_asks_no_service(gateway: Reach) -> None:
    assert gateway("/gateway/livez").status == 200
    assert [service.seen for service in gateway.services.values()] == [[], [], []]
