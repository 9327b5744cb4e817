"""The gateway's own errors are problem documents, and bad requests stop at it."""

from http import HTTPStatus

import pytest

from gateway.echo import Answer, Reach

PRODUCTS = "/api/v1/products"
CHUNKED = "Transfer-Encoding: chunked"


def assert_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"] != "The request could not be handled"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(("GET", "X: " + "a" * 9000), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, id="long header"),
        pytest.param(("TRACE",), HTTPStatus.METHOD_NOT_ALLOWED, id="trace"),
        pytest.param(("POST", CHUNKED, "Content-Length: 2"), HTTPStatus.BAD_REQUEST, id="two lengths"),
        pytest.param(("POST", "Content-Length: 2", "Content-Length: 3"), HTTPStatus.BAD_REQUEST, id="length twice"),
        pytest.param(("POST", "Content-Length: -1"), HTTPStatus.BAD_REQUEST, id="negative length"),
        pytest.param(("POST", "Transfer-Encoding: gzip"), HTTPStatus.NOT_IMPLEMENTED, id="other transfer encoding"),
        pytest.param(("POST", "Content-Length: 65537"), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, id="long body"),
        pytest.param(
            ("POST", "Content-Encoding: gzip", "Content-Length: 0"), HTTPStatus.UNSUPPORTED_MEDIA_TYPE, id="gzip"
        ),
    ],
)
def test_bad_requests_are_refused_before_any_service(gateway: Reach, request_: tuple[str, ...], status: int) -> None:
    method, *headers = request_

    answer = gateway(PRODUCTS, method, *headers)

    assert_problem(answer, status)
    assert gateway.services["catalog"].seen == []


def test_a_long_chunked_body_is_refused_too(gateway: Reach) -> None:
    body = f"{70_000:x}\r\n{'a' * 70_000}\r\n0\r\n\r\n"

    assert_problem(gateway(PRODUCTS, "POST", CHUNKED, body=body), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def test_a_body_at_the_limit_passes(gateway: Reach) -> None:
    answer = gateway(PRODUCTS, "POST", "Content-Length: 65536", body="a" * 65536)

    assert answer.status == HTTPStatus.OK


def test_a_long_address_is_refused(gateway: Reach) -> None:
    assert_problem(gateway(f"{PRODUCTS}?a={'a' * 9000}"), HTTPStatus.REQUEST_URI_TOO_LONG)


@pytest.mark.parametrize("path", [f"{PRODUCTS}/%00", f"{PRODUCTS}/%zz"])
def test_an_address_that_is_none_is_refused(gateway: Reach, path: str) -> None:
    assert_problem(gateway(path), HTTPStatus.BAD_REQUEST)


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", b"\x16\x03\x01\r\n\r\n"])
def test_what_is_not_http_is_refused(gateway: Reach, request_: bytes) -> None:
    assert_problem(gateway.raw(request_), HTTPStatus.BAD_REQUEST)


def test_a_version_of_the_future_is_refused(gateway: Reach) -> None:
    assert_problem(gateway(PRODUCTS, version="3.0"), HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_service_that_is_away_is_said_to_come_back(gateway: Reach, method: str) -> None:
    answer = gateway("/api/v1/fulfilments/1", method, "Content-Length: 2", "X-Request-Id: abc", body="{}")

    assert_problem(answer, HTTPStatus.SERVICE_UNAVAILABLE)
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "abc"


def test_what_the_client_did_wrong_needs_no_looking_up(gateway: Reach) -> None:
    assert "request_id" not in gateway("/nothing/here").json()
