"""What is set for the gateway, by the same variables as in compose."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.errors import LocalError
from local.topology import number

CERTIFICATE, KEY = "GATEWAY_TLS_CERTIFICATE", "GATEWAY_TLS_KEY"
MOST_REQUESTS = 1_000_000
MOST_PORT = 65535


@dataclass(frozen=True)
class Tls:
    """PEM files, and the port for TLS beside the plain one. A path that isn't absolute begins at nginx's configuration."""

    certificate: Path
    key: Path
    port: int = 8443

    @classmethod
    def from_environment(cls) -> Self | None:
        given = {name: os.environ.get(name) or "" for name in (CERTIFICATE, KEY)}
        if not any(given.values()):
            return None
        for name, path in given.items():
            if not Path(path).is_file():
                raise LocalError(f"{name}={path} is no file: TLS needs {CERTIFICATE} and {KEY}.")
        return cls(
            Path(given[CERTIFICATE]).resolve(), Path(given[KEY]).resolve(), number("GATEWAY_TLS_PORT", 8443, MOST_PORT)
        )


@dataclass(frozen=True)
class GatewaySettings:
    """What one address may ask for: `rate` requests a second, and as many at once; `connections` with a request under way."""

    rate: int = 20_000
    connections: int = 2_048
    tls: Tls | None = None

    @classmethod
    def from_environment(cls) -> Self:
        return cls(
            rate=number("GATEWAY_RATE", cls.rate, MOST_REQUESTS),
            connections=number("GATEWAY_CONNECTIONS", cls.connections, MOST_PORT),
            tls=Tls.from_environment(),
        )
