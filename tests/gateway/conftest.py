from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.echo import Reach, refusing, serving, unreachable
from harness import servers
from harness.layout import AS_IN_COMPOSE
from local.gateway_server import Gateway
from local.processes import free_port


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reach]:
    """The real gateway before services that echo. Catalog has two replicas, fulfilment is away."""
    with ExitStack() as life:
        services = {name: life.enter_context(serving(name)) for name in ("catalog", "catalog-2", "ordering")}
        upstreams = {
            "catalog": [services["catalog"].address, services["catalog-2"].address],
            "ordering": [services["ordering"].address],
            "fulfilment": [f"127.0.0.1:{free_port()}"],
        }
        server = Gateway(tmp_path_factory.mktemp("gateway") / "echo-gateway", free_port(), upstreams)
        life.enter_context(servers.started(servers.gateway(server)))
        yield Reach(server.port, services)


@pytest.fixture(autouse=True)
def _fresh_services(gateway: Reach) -> None:
    for service in gateway.services.values():
        service.seen.clear()
        service.failure = None


class Impatient(Gateway):
    """Waits 1 s for a connection and 2 s for an answer."""

    def prepare(self) -> None:
        super().prepare()
        with (self.directory / "place" / "server.conf").open("a") as settings:
            settings.write("proxy_connect_timeout 1s;\nproxy_read_timeout 2s;\n")


@pytest.fixture
def impatient_gateway(tmp_path: Path) -> Iterator[Reach]:
    """As in compose. All have two replicas; catalog also has two that refuse connections, ordering one out of reach."""
    with ExitStack() as life:
        names = ("catalog", "catalog-2", "ordering", "ordering-2", "fulfilment", "fulfilment-2")
        services = {name: life.enter_context(serving(name)) for name in names}
        away = {
            "catalog": [life.enter_context(refusing()), life.enter_context(refusing())],
            "ordering": [life.enter_context(unreachable())],
        }
        upstreams = {
            name: [*away.get(name, []), services[name].address, services[f"{name}-2"].address]
            for name in ("catalog", "ordering", "fulfilment")
        }
        server = Impatient(tmp_path / "impatient-gateway", free_port(), upstreams, AS_IN_COMPOSE)
        life.enter_context(servers.started(servers.gateway(server)))
        yield Reach(server.port, services)
