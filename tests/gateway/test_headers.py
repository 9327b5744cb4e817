"""What services hear of a request, and clients of an answer."""

import json
from http.client import HTTPConnection

import pytest

from gateway.echo import Reach


def test_what_only_a_gateway_may_say_is_said_by_it(gateway: Reach) -> None:
    claims = [
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Host: evil.example",
        "Forwarded: for=1.2.3.4",
        "X-Real-IP: 1.2.3.4",
    ]

    headers = gateway("/api/v1/orders", "GET", *claims).json()["headers"]

    assert headers["host"] == "shop.example"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert not {"x-forwarded-host", "forwarded", "x-real-ip"} & headers.keys()


def test_a_sane_request_id_is_kept_and_told_to_both_sides(gateway: Reach) -> None:
    answer = gateway("/api/v1/orders", "GET", "X-Request-Id: abc-1.2_3")

    assert answer.headers["x-request-id"] == "abc-1.2_3"
    assert answer.json()["headers"]["x-request-id"] == "abc-1.2_3"


def test_an_odd_request_id_is_replaced(gateway: Reach) -> None:
    answer = gateway("/api/v1/orders", "GET", 'X-Request-Id: "><script>')

    assert len(answer.headers["x-request-id"]) == 32
    assert answer.json()["headers"]["x-request-id"] == answer.headers["x-request-id"]


def test_the_idempotency_key_and_the_body_arrive_as_they_are(gateway: Reach) -> None:
    headers = ["Idempotency-Key: a~b c", "Content-Length: 2", "Content-Type: application/json"]

    got = gateway("/api/v1/orders/", "POST", *headers, body="{}").json()

    assert got["headers"]["idempotency-key"] == "a~b c"
    assert got["body"] == "{}"


def test_a_location_is_passed_on_untouched(gateway: Reach) -> None:
    assert gateway("/api/v1/orders").headers["location"] == "/api/v1/orders/1"


def test_a_chunked_body_reaches_the_service_with_its_length(gateway: Reach) -> None:
    got = gateway("/api/v1/orders", "POST", "Transfer-Encoding: chunked", body="2\r\n{}\r\n0\r\n\r\n").json()

    assert got["body"] == "{}"
    assert got["headers"]["content-length"] == "2"
    assert "transfer-encoding" not in got["headers"]


def test_the_answers_do_not_tell_what_the_gateway_is(gateway: Reach) -> None:
    assert gateway("/api/v1/orders").headers["server"] == "nginx"


def test_connections_to_the_services_are_kept(gateway: Reach) -> None:
    peers = set()
    client = HTTPConnection("127.0.0.1", gateway.port)  # one connection stays with one process of nginx
    for _ in range(10):
        client.request("GET", "/api/v1/orders")
        peers.add(json.loads(client.getresponse().read())["peer"])
    client.close()

    assert len(gateway.services["ordering"].seen) == 10
    assert len(peers) == 1


@pytest.mark.parametrize(
    "path",
    ["/api/v1/products", "/api/v1/orders", "/api/v1/fulfilments/1", "/nothing", "/api/v1/orders/%00", "/gateway/livez"],
)
def test_no_answer_is_for_a_browser_to_make_something_of(gateway: Reach, path: str) -> None:
    headers = gateway(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-request-id"]
    assert "strict-transport-security" not in headers


OWN = [
    *(
        "/api/v1/orders",
        "/api/v1/orders/1?a=b",
        "/api/v1/orders/1/timeline",
        "/api/v1/./orders",
        "/api/v1/products/../orders/1",
    ),
    *("/api/v1/products/1/../../orders", "/api/v1/products/1/stock-movements", "/api/v1/fulfilments/1", "/nothing"),
]


@pytest.mark.parametrize("path", OWN)
def test_what_is_one_callers_own_is_kept_by_nobody_else(gateway: Reach, path: str) -> None:
    assert gateway(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/api/v1/products", "/api/v1/products/", "/api/v1/products?limit=2", "/api/v1/products/1"]
)
def test_products_may_be_kept(gateway: Reach, path: str) -> None:
    assert "cache-control" not in gateway(path).headers


@pytest.mark.parametrize(
    ("said", "told"),
    [
        *[(None, "15000"), ("0", "0"), ("3000", "3000"), ("14999", "14999"), ("15000", "15000"), ("20000", "15000")],
        *[("-1", "15000"), ("1e3", "15000"), ("soon", "15000"), ("99999999999999999999", "15000"), ("1, 2", "15000")],
    ],
)
def test_services_are_told_how_long_the_client_waits_and_never_more_than_the_gateway_does(
    gateway: Reach, said: str | None, told: str
) -> None:
    headers = [] if said is None else [f"X-Time-Left-Ms: {said}"]

    assert gateway("/api/v1/orders", "GET", *headers).json()["headers"]["x-time-left-ms"] == told
