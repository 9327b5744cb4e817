"""What services hear of a request, and clients of an answer."""

import json
from http.client import HTTPConnection

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
