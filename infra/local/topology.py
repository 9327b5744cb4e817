"""Who runs where, and what each process is told: the same names and variables as in compose."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from local.errors import LocalError

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
SERVICES = ("catalog", "ordering", "fulfilment")
WORKERS = ("ordering", "fulfilment")
PORTS = {
    "GATEWAY_PORT": 8000,
    "MYSQL_PORT": 3307,
    "REDIS_PORT": 6380,
    "CATALOG_PORT": 8101,
    "ORDERING_PORT": 8102,
    "FULFILMENT_PORT": 8103,
    "ORDERING_WORKER_PORT": 8120,
    "FULFILMENT_WORKER_PORT": 8130,
}
MOST_REPLICAS = 10  # as many as fit between the workers' ports


@dataclass(frozen=True)
class Topology:
    """`ports` has the keys of PORTS; a worker's is that of its first replica."""

    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)
    replicas: int = 1

    @classmethod
    def from_environment(cls) -> "Topology":
        ports = {name: _number(name, default, 65535) for name, default in PORTS.items()}
        return cls(ports, _number("REPLICAS", 1, MOST_REPLICAS))

    def address(self, service: str) -> str:
        return f"{HOST}:{self.ports[f'{service.upper()}_PORT']}"

    def environment(self, mysql_socket: Path | None = None) -> dict[str, str]:
        """One environment for every process: each service reads the variables of its own prefix.

        By MySQL's socket a statement costs both sides a third less than by its port.
        """
        variables = {"PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("libs", "services", "infra"))}
        for service in SERVICES:
            prefix = service.upper()
            variables[f"{prefix}_DATABASE_URL"] = self._database(service, "run", mysql_socket)
            variables[f"{prefix}_MIGRATION_URL"] = self._database(service, "migrate", mysql_socket)
        variables["CATALOG_ORDERING_TOKENS"] = variables["ORDERING_CATALOG_TOKEN"] = "local-ordering-token"  # noqa: S105
        for service in WORKERS:
            variables[f"{service.upper()}_OPERATOR_TOKENS"] = "local-operator-token"
            variables[f"{service.upper()}_REDIS_URL"] = f"redis://{self.address('redis')}/0"
        variables["ORDERING_CATALOG_URL"] = f"http://{self.address('catalog')}"
        variables["ORDERING_FULFILMENT_URL"] = f"http://{self.address('fulfilment')}"
        return variables

    def _database(self, service: str, role: str, socket: Path | None) -> str:
        """Unencrypted: on loopback TLS protects nothing, and it made each statement half as slow again."""
        user = f"{service}_{role}"
        url = f"mysql+pymysql://{user}:{user}@{self.address('mysql')}/{service}?ssl_disabled=true"
        return f"{url}&unix_socket={quote(str(socket))}" if socket else url

    def taken_port(self) -> str | None:
        """What to do about the first port that is taken."""
        for name, port in self._all_ports():
            if _taken(port):
                return f"Port {port} is taken: stop what uses it, or set {name} to a free one."
        return None

    def _all_ports(self) -> list[tuple[str, int]]:
        """Every port with the variable that moves it."""
        return [
            (name, first + n)
            for name, first in self.ports.items()
            for n in range(self.replicas if "WORKER" in name else 1)
        ]


def _number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise LocalError(f"{name}={text} makes no sense: it is a number from 1 to {most}.")
    return int(text)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an earlier run that still linger don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
