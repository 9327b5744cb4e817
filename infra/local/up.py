"""`python -m local.up`: the whole system in the foreground, until Ctrl-C."""

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

from local import binaries, compose, instance, migrations, runtime, supervisor_config
from local.development_issuer import DevelopmentIssuer
from local.errors import LocalError, run_main, tail
from local.gateway_server import Gateway, get
from local.gateway_settings import GatewaySettings
from local.mysql_server import MySQL
from local.processes import Server, console, wait_until
from local.redis_server import Redis
from local.secrets import Secrets
from local.supervisor import NotRunning, Supervisor
from local.topology import SERVICES, WORKERS, Topology

SERVER_SECONDS = 60
HEALTHY_SECONDS = 120
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SERVERS = ["mysql", "redis"]
PROCESSES = [*(f"{service}-api" for service in SERVICES), *(f"{service}-worker" for service in WORKERS)]
GATEWAY = ["gateway"]


class StopAsked(Exception):
    """Ctrl-C, a SIGTERM, or the terminal was closed."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="./justw up", description="Runs the whole system in the foreground.")
    parser.add_argument("--secured", action="store_true", help="ask for tokens, such as `./justw token` makes")
    issuer = DevelopmentIssuer.of_place() if parser.parse_args().secured else None
    if sys.stdout.isatty():
        os.environ.setdefault("LOG_FORMAT", "text")  # the processes themselves write into a pipe
    if runtime.choose() == "docker":
        compose.up(issuer)
    _raise_on_stop_signals()
    # A Ctrl-C before anything runs ends quietly as well.
    with contextlib.suppress(StopAsked):
        up(Topology.from_environment(), instance.place(), issuer)


def up(topology: Topology, place: Path, issuer: DevelopmentIssuer | None) -> None:
    with instance.alone_in(place, topology):
        binaries.ensure_installed(place / "log" / "apt.log")
        system = System(topology, place, issuer.environment() if issuer else {})
        system.prepare()
        with system.supervised() as supervisord:
            system.start()
            if issuer:
                _say("Whoever calls it shows a token: ./justw token --role customer, or --role staff.")
            _say(f"The system is up on http://localhost:{topology.ports['GATEWAY_PORT']} - Ctrl-C stops it.")
            _wait_for_end(supervisord)
            raise NotRunning


class System:
    def __init__(self, topology: Topology, place: Path, auth: Mapping[str, str]) -> None:
        """`auth` says whose tokens count."""
        ports = topology.ports
        self._auth = auth
        self.topology = topology
        self.place = place
        self.mysql = MySQL(place / "mysql", ports["MYSQL_PORT"])
        self.secrets = Secrets(place / "secrets")
        self.redis = Redis(place / "redis", ports["REDIS_PORT"], self.secrets.redis_users)
        upstreams = {service: [topology.address(service)] for service in SERVICES}
        self.gateway = Gateway(
            place / "gateway", ports["GATEWAY_PORT"], upstreams, settings=GatewaySettings.from_environment()
        )
        self.supervisor = Supervisor(place)

    def prepare(self) -> None:
        self.secrets.make()
        servers: list[Server] = [self.mysql, self.redis]
        for server in (*servers, self.gateway):
            server.prepare()
        (self.place / "log").mkdir(exist_ok=True)
        rendered = supervisor_config.render(self.topology, servers, self.gateway, self.place)
        (self.place / "supervisord.conf").write_text(rendered)

    @contextlib.contextmanager
    def supervised(self) -> Iterator["subprocess.Popen[bytes]"]:
        """supervisord, with nothing started yet; in the end everything stops, the gateway first, the servers last."""
        try:
            with console() as output:
                process = self.supervisor.run(self._environment(), output)
                try:
                    yield process
                except NotRunning:
                    raise LocalError("supervisord ended, and with it everything else: start again.") from None
                finally:
                    _say("Stopping ...")
                    self.supervisor.shut_down(process, (GATEWAY, PROCESSES, SERVERS))
        finally:
            _say("Stopped.")

    def _environment(self) -> dict[str, str]:
        return {**self.topology.environment(self.secrets, self.mysql.socket), **self._auth}

    def start(self) -> None:
        self.supervisor.start(SERVERS)
        for server in (self.mysql, self.redis):
            self._wait_ready(server)
        self.mysql.grant(self.secrets.mysql_passwords())
        migrations.migrate_all(self._environment())
        self.supervisor.start([*PROCESSES, *GATEWAY])
        wait_until(self._healthy, HEALTHY_SECONDS, self._unhealthy)

    def _wait_ready(self, server: Server) -> None:
        """A server that ends is started again with another pid, which is why it isn't waited for in vain."""
        pid = self.supervisor.pid_of(server.name)
        wait_until(
            lambda: self.supervisor.pid_of(server.name) != pid or server.is_ready(),
            SERVER_SECONDS,
            lambda: self._not_ready(server),
        )
        if not server.is_ready():
            raise LocalError(self._not_ready(server))

    def _not_ready(self, server: Server) -> str:
        log = self.place / "log" / f"{server.name}.log"
        return f"{server.name} does not start; the end of {log}:{tail(log)}"

    def _health(self) -> tuple[int | None, str]:
        return get(self.topology.ports["GATEWAY_PORT"], "/health")

    def _healthy(self) -> bool:
        return self._health()[0] == HTTPStatus.OK

    def _unhealthy(self) -> str:
        log = self.place / "log" / "gateway.log"
        return f"The system is not healthy after {HEALTHY_SECONDS} s; it says: {self._health()[1]}{tail(log, 3)}"


def _raise_on_stop_signals() -> None:
    """The first one starts the stop, and the others no longer disturb it."""

    def ask(*_: object) -> NoReturn:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise StopAsked

    for number in STOP_SIGNALS:
        signal.signal(number, ask)


def _wait_for_end(process: "subprocess.Popen[bytes]") -> None:
    """Until it ends, or the terminal is closed: then SIGHUP goes to the session's leader alone, and that may be just."""
    terminal = select.poll()
    if os.isatty(0):
        terminal.register(0, 0)
    while process.poll() is None:
        if terminal.poll(500):
            raise StopAsked


def _say(text: str) -> None:
    """When the terminal was closed nobody listens any more, and that must not stop the stopping."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


if __name__ == "__main__":
    run_main(main)
