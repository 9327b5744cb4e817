"""How much one address may ask for, and that who is slow takes nothing from the services."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest

from gateway.echo import HOST, Answer, Failure, Reach, serving
from harness import servers
from local.gateway_server import Gateway
from local.gateway_settings import GatewaySettings
from local.processes import free_port, wait_until
from local.topology import SERVICES

PATH = "/api/v1/orders"


@contextmanager
def limited(directory: Path, settings: GatewaySettings) -> Iterator[Reach]:
    with ExitStack() as life:
        echo = life.enter_context(serving("echo"))
        upstreams = {service: [echo.address] for service in SERVICES}
        server = Gateway(directory / "limited-gateway", free_port(), upstreams, settings=settings)
        life.enter_context(servers.started(servers.gateway(server)))
        echo.seen.clear()
        yield Reach(server.port, {"echo": echo})


@dataclass(frozen=True)
class Slow:
    """A request whose body doesn't come."""

    connection: socket.socket

    def finish(self) -> bytes:
        self.connection.sendall(b"{}")
        return self.connection.recv(4096)


@pytest.fixture
def slow_client(tmp_path: Path) -> Iterator[tuple[Reach, Slow]]:
    head = f"POST {PATH} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\n"
    with (
        limited(tmp_path, GatewaySettings(connections=1)) as gateway,
        socket.create_connection((HOST, gateway.port), timeout=10) as connection,
    ):
        connection.sendall(head.encode())
        yield gateway, Slow(connection)


def require_refusal(answer: Answer) -> None:
    assert answer.status == HTTPStatus.TOO_MANY_REQUESTS
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["status"] == HTTPStatus.TOO_MANY_REQUESTS
    assert answer.json()["title"] == "Too Many Requests"


def test_more_requests_than_the_rate_are_refused_before_any_service(tmp_path: Path) -> None:
    with limited(tmp_path, GatewaySettings(rate=1)) as gateway:
        answers = [gateway(PATH) for _ in range(10)]

        passed = [answer for answer in answers if answer.status == HTTPStatus.OK]
        refused = [answer for answer in answers if answer.status != HTTPStatus.OK]
        assert passed
        assert refused
        for answer in refused:
            require_refusal(answer)
        assert len(gateway.services["echo"].seen) == len(passed)


def test_more_connections_than_an_address_may_have_are_refused(slow_client: tuple[Reach, Slow]) -> None:
    gateway, slow = slow_client

    wait_until(lambda: gateway(PATH).status != HTTPStatus.OK, 10, lambda: "a second connection is let through")

    require_refusal(gateway(PATH))
    assert slow.finish().startswith(b"HTTP/1.1 200 ")
    assert gateway(PATH).status == HTTPStatus.OK


def test_a_body_that_does_not_come_reaches_no_service(slow_client: tuple[Reach, Slow]) -> None:
    gateway, slow = slow_client
    echo = gateway.services["echo"]
    echo.failure = Failure.RESETS  # from the first byte on
    wait_until(lambda: gateway(PATH).status == HTTPStatus.TOO_MANY_REQUESTS, 10, lambda: "it is not waited for")
    echo.seen.clear()
    echo.failure = None

    slow.finish()

    assert echo.seen == [f"POST {PATH}"]
