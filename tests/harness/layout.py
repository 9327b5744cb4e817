"""Where everything of a whole system listens, and the processes of ours that makes."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from local.gateway_server import Gateway
from local.processes import Child, free_ports
from local.topology import HOST, PORTS, SERVICES, WORKERS, Topology

# In compose each replica has an address of its own, and the gateway passes over one that doesn't answer.
AS_IN_COMPOSE = ("max_fails=1 fail_timeout=1s", "backup max_fails=0")
AnyChild = TypeVar("AnyChild", bound=Child)


class Addresses(StrEnum):
    """Where the replicas of an api listen."""

    SHARED = "shared"  # on one socket, as `./justw up` has it
    OWN = "own"  # as compose has it


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    with socket.create_server((HOST, port), backlog=2048) as shared:
        yield shared


def replicas_of(service: str, role: str, count: int) -> list[str]:
    return [f"{service}-{role}-{n}" for n in range(count)]


@dataclass(frozen=True)
class Layout:
    """`ports` are those of our processes by name: <service>-<role>-<replica>. Topology has the others."""

    directory: Path
    topology: Topology
    addresses: Addresses
    ports: Mapping[str, int]

    @classmethod
    def on_free_ports(cls, directory: Path, replicas: int, addresses: Addresses, **known: int) -> "Layout":
        """`known` are ports of servers that run already, with the keys of PORTS."""
        names = [name for service in SERVICES for name in replicas_of(service, "api", replicas)]
        names += [name for service in WORKERS for name in replicas_of(service, "worker", replicas)]
        free = dict(zip([*PORTS, *names], free_ports(len(PORTS) + len(names)), strict=True)) | known
        for service in SERVICES:
            shared = f"{service.upper()}_PORT"
            if addresses is Addresses.OWN:
                free[shared] = free[f"{service}-api-0"]
            else:
                free |= dict.fromkeys(replicas_of(service, "api", replicas), free[shared])
        topology = Topology({name: free[name] for name in PORTS}, replicas)
        return cls(directory, topology, addresses, {name: free[name] for name in names})

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.topology.ports['GATEWAY_PORT']}"

    def api_ports(self, service: str) -> list[int]:
        """One, or one for each replica."""
        return sorted({self.ports[name] for name in replicas_of(service, "api", self.topology.replicas)})

    def processes(
        self, life: ExitStack, make: type[AnyChild], program: Callable[[str, str], list[str]]
    ) -> list[AnyChild]:
        """None is started yet. `program` is the command of a service's role; shared sockets close with `life`."""
        found = []
        for service, role in [*((service, "api") for service in SERVICES), *((worker, "worker") for worker in WORKERS)]:
            is_shared = role == "api" and self.addresses is Addresses.SHARED
            stdin = life.enter_context(listening(self.api_ports(service)[0])) if is_shared else None
            for name in replicas_of(service, role, self.topology.replicas):
                where = ["--fd", "0"] if is_shared else ["--port", str(self.ports[name])]
                log = self.directory / f"{name}.log"
                found.append(make(name, [*program(service, role), *where], log, stdin=stdin))
        return found

    def gateway(self, replaced: Mapping[str, int] | None = None) -> Gateway:
        """Before the apis, or before what stands between: `replaced` are ports by service."""
        ports = {service: self.api_ports(service) for service in SERVICES}
        ports |= {service: [port] for service, port in (replaced or {}).items()}
        upstreams = {service: [f"{HOST}:{port}" for port in ports[service]] for service in SERVICES}
        place, port = self.directory / "gateway", self.topology.ports["GATEWAY_PORT"]
        if self.addresses is Addresses.OWN:
            return Gateway(place, port, upstreams, AS_IN_COMPOSE)
        return Gateway(place, port, upstreams)
