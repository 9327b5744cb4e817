"""The gateway's nginx as a process of our own, with the configuration that compose uses."""

import http.client
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from local.binaries import find
from local.gateway_settings import GatewaySettings
from local.processes import tethered

CONFIGURATION = Path(__file__).parents[1] / "gateway"
PROCESS_GROUP = Path(__file__).with_name("process_group.py")
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Gateway:
    """`upstreams` says where the replicas of catalog, ordering and fulfilment are, each as host:port.

    `parameters` are nginx's for each of these; with several of them each replica is listed several times.
    """

    directory: Path
    port: int
    upstreams: Mapping[str, Sequence[str]]
    parameters: Sequence[str] = ("max_fails=0",)
    settings: GatewaySettings = field(default_factory=GatewaySettings)
    name: str = "gateway"

    def prepare(self) -> None:
        """Write the configuration anew: it is made from the repository's, and holds nothing of its own."""
        place = self.directory / "place"
        place.mkdir(parents=True, exist_ok=True)
        for file in CONFIGURATION.glob("*.conf"):
            shutil.copyfile(file, self.directory / file.name)
        for service, addresses in self.upstreams.items():
            lines = [f"server {address} {these};\n" for these in self.parameters for address in addresses]
            (place / f"{service}.conf").write_text("".join(lines))
        (place / "server.conf").write_text(f"listen {HOST}:{self.port} backlog=4096;\n{self._tls()}")
        (place / "http.conf").write_text(self._limits() + self._writable_places())

    def _limits(self) -> str:
        return _filled("limits", GATEWAY_RATE=self.settings.rate, GATEWAY_CONNECTIONS=self.settings.connections)

    def _tls(self) -> str:
        tls = self.settings.tls
        if tls is None:
            return ""
        return _filled(
            "tls",
            GATEWAY_TLS_ADDRESS=f"{HOST}:{tls.port}",
            GATEWAY_TLS_CERTIFICATE=tls.certificate,
            GATEWAY_TLS_KEY=tls.key,
        )

    def _writable_places(self) -> str:
        """Nginx makes these at its start; where its package wants them, only root may."""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return "".join(f"{kind}_temp_path temp-{kind};\n" for kind in kinds)

    def command(self) -> list[str]:
        directory = str(self.directory.resolve())
        start = f'daemon off; pid "{directory}/nginx.pid";'
        nginx = [find("nginx"), "-e", "stderr", "-p", directory, "-c", f"{directory}/nginx.conf", "-g", start]
        return [sys.executable, "-IS", str(PROCESS_GROUP), *tethered(nginx)]

    def is_ready(self) -> bool:
        return get(self.port, "/gateway/livez")[0] == http.HTTPStatus.OK


def _filled(name: str, **values: object) -> str:
    """Nginx's own variables stay as they are."""
    return Template((CONFIGURATION / "templates" / f"{name}.template").read_text()).safe_substitute(values)


def get(port: int, path: str) -> tuple[int | None, str]:
    """Status and body of a GET; no status, but the reason, when nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return None, str(error)
    finally:
        connection.close()
