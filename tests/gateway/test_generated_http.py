"""Whatever bytes come in: no private address is reached, no request is hidden in another one, and nothing breaks."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, event, example, given, settings

from gateway.echo import HOST, Reach, serving
from gateway.generated import CHUNKED, HIDDEN, connections
from harness import servers
from harness.size import at_size
from local.gateway_server import Gateway
from local.processes import free_port

CONNECTIONS = at_size(150, 5000)
PUBLIC = re.compile(r"^(/health|/api/v1/(products|orders)(/[\w.~-]+(/[a-z-]+)?)?)(\?.*)?$")
# What nginx itself says about a transfer coding, or a version of HTTP, that it doesn't know.
OF_NGINX = {501, 505}


class Curt(Gateway):
    """Closes a connection as soon as it waits for more of it, so that all answers can be read to their end."""

    def prepare(self) -> None:
        super().prepare()
        with (self.directory / "place" / "server.conf").open("a") as settings:
            settings.write("client_header_timeout 100ms;\nclient_body_timeout 100ms;\nkeepalive_timeout 50ms;\n")


@pytest.fixture(scope="module")
def curt_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reach]:
    with ExitStack() as life:
        services = {name: life.enter_context(serving(name)) for name in ("catalog", "ordering", "fulfilment")}
        upstreams = {name: [service.address] for name, service in services.items()}
        server = Curt(tmp_path_factory.mktemp("gateway") / "curt-gateway", free_port(), upstreams)
        life.enter_context(servers.started(servers.gateway(server)))
        yield Reach(server.port, services)


def answers_to(gateway: Reach, raw: bytes) -> bytes:
    """All that comes back until the gateway closes. It may close before it has read everything."""
    received = b""
    with socket.create_connection((HOST, gateway.port), timeout=20) as connection:
        try:
            connection.sendall(raw)
            while more := connection.recv(65536):
                received += more
        except ConnectionError:
            pass
    return received


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", received, re.MULTILINE)]


def require_harmless(gateway: Reach, raw: bytes) -> None:
    for service in gateway.services.values():
        service.seen.clear()

    received = answers_to(gateway, raw)
    seen = [request for service in gateway.services.values() for request in service.seen]
    found = statuses(received)

    event(f"answered {found[:1]}")
    assert {status for status in found if status >= 500} <= OF_NGINX
    assert [request for request in seen if not PUBLIC.match(request.partition(" ")[2])] == []
    assert received.count(b"X-Hidden") + received.count(b"x-hidden") == 0
    # Each request that a service saw is one answer, also to HTTP/0.9, which knows no status.
    assert received.count(b'{"service": ') == len(seen)


@settings(
    max_examples=CONNECTIONS,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(connections)
@example(
    b"POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + HIDDEN
)
@example(b"POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED + HIDDEN)
def test_no_bytes_get_further_than_they_may(curt_gateway: Reach, raw: bytes) -> None:
    require_harmless(curt_gateway, raw)
