"""A write goes out once, whatever happens to it; only if nothing of it went out is another replica tried. (Hazard 33)"""

from http import HTTPStatus

import pytest

from gateway.echo import Failure, Reach
from harness.layout import AS_IN_COMPOSE
from local.gateway_server import CONFIGURATION
from local.topology import SERVICES

PRODUCT = "/api/v1/products/1"
ORDER = "/api/v1/orders/1"
FULFILMENT = "/api/v1/fulfilments/1"
WRITES = ["POST", "PUT", "DELETE"]
BODY = "Content-Length: 2"


def sent(gateway: Reach) -> list[str]:
    return [request for service in gateway.services.values() for request in service.seen]


def all_fail(gateway: Reach, failure: Failure | None) -> None:
    for service in gateway.services.values():
        service.seen.clear()
        service.failure = failure


@pytest.mark.parametrize("failure", [Failure.RESETS, Failure.HANGS_UP, Failure.BREAKS_OFF])
@pytest.mark.parametrize("method", WRITES)
def test_a_write_whose_answer_was_lost_is_not_sent_again(gateway: Reach, method: str, failure: Failure) -> None:
    all_fail(gateway, failure)

    answer = gateway(PRODUCT, method, BODY, body="{}")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert len(sent(gateway)) == 1


@pytest.mark.parametrize("method", WRITES)
def test_a_write_whose_answer_is_late_is_not_sent_again(impatient_gateway: Reach, method: str) -> None:
    all_fail(impatient_gateway, Failure.KEEPS_SILENT)

    answer = impatient_gateway(FULFILMENT, method, BODY, body="{}")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert len(sent(impatient_gateway)) == 1


def test_a_read_is_tried_at_the_other_replica(gateway: Reach) -> None:
    all_fail(gateway, Failure.HANGS_UP)

    answer = gateway(PRODUCT)

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert sent(gateway) == [f"GET {PRODUCT}"] * 2


@pytest.mark.parametrize("method", WRITES)
def test_a_write_is_not_sent_again_when_a_kept_connection_drops_under_it(gateway: Reach, method: str) -> None:
    for _ in range(8):
        gateway(PRODUCT, method, BODY, body="{}")
    all_fail(gateway, Failure.HANGS_UP)

    gateway(PRODUCT, method, BODY, body="{}")

    assert len(sent(gateway)) == 1


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize("path", [pytest.param(PRODUCT, id="refused"), pytest.param(ORDER, id="out of reach")])
def test_what_never_reached_one_replica_is_answered_by_another(
    impatient_gateway: Reach, path: str, method: str
) -> None:
    for _ in range(3):  # they take turns, so one of them begins at a replica that is away
        answer = impatient_gateway(f"{path}/?limit=%2F", method, BODY, "X-Request-Id: abc", body="{}")

        assert answer.status == HTTPStatus.OK
        assert answer.json().items() >= {"method": method, "path": f"{path}?limit=%2F", "body": "{}"}.items()
        assert answer.json()["headers"]["x-request-id"] == answer.headers["x-request-id"] == "abc"
    assert len(sent(impatient_gateway)) == 3


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param("Content-Length: 65536", "a" * 65536, id="at the limit"),
        pytest.param("Transfer-Encoding: chunked", f"10000\r\n{'a' * 65536}\r\n0\r\n\r\n", id="chunked"),
    ],
)
def test_the_next_replica_gets_the_whole_body(impatient_gateway: Reach, header: str, body: str) -> None:
    for _ in range(3):
        answer = impatient_gateway(PRODUCT, "PUT", header, body=body)

        assert answer.json()["body"] == "a" * 65536


@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_reached_the_next_replica_is_not_sent_again(impatient_gateway: Reach, method: str) -> None:
    all_fail(impatient_gateway, Failure.HANGS_UP)

    for _ in range(3):
        answer = impatient_gateway(PRODUCT, method, BODY, body="{}")

        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert sent(impatient_gateway) == [f"{method} {PRODUCT}"] * 3


@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_replicas_that_have_all_just_failed_are_tried_all_the_same(impatient_gateway: Reach, method: str) -> None:
    all_fail(impatient_gateway, Failure.HANGS_UP)
    for _ in range(2):
        impatient_gateway(FULFILMENT)
    all_fail(impatient_gateway, None)

    answer = impatient_gateway(FULFILMENT, method, BODY, body="{}")

    assert answer.status == HTTPStatus.OK


@pytest.mark.parametrize("service", SERVICES)
def test_compose_lists_its_replicas_as_these_tests_do(service: str) -> None:
    lines = (CONFIGURATION / "place" / f"{service}.conf").read_text().splitlines()

    listed = [line.partition(" resolve ")[2] for line in lines if line.startswith("server ")]

    assert listed == [f"{parameters};" for parameters in AS_IN_COMPOSE]
