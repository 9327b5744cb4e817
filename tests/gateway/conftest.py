from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.echo import Reach, serving
from harness import servers
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
        service.hangs_up = False
