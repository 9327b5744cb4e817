"""supervisord's configuration: what runs, in which order it ends, and where its lines go."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from local.processes import Server, tethered
from local.topology import SERVICES, WORKERS, Topology

# Should supervisord itself be told to end, the highest ends first.
SERVER, PROCESS, GATEWAY = 1, 2, 3
CONSOLE = Path("/dev/fd/1")
# Only the user who owns the socket can open it. Without a name supervisord warns at every start.
CONTROL_USER = "up"


def render(topology: Topology, servers: Sequence[Server], gateway: Server, place: Path) -> str:
    """`place` is the directory for logs and the control socket."""
    logs = place / "log"
    sections = [_supervisord(place)]
    sections += [_server(server, logs, SERVER, "TERM") for server in servers]
    sections += [_api(service, topology) for service in SERVICES]
    sections += [_worker(service, topology) for service in WORKERS]
    # On TERM nginx would cut off the requests it is passing on.
    sections.append(_server(gateway, logs, GATEWAY, "QUIT"))
    return "\n".join(sections)


def _supervisord(place: Path) -> str:
    """Its own log goes to the console too. At level warn it tells of crashes and nothing else."""
    user = "user=root" if os.geteuid() == 0 else ""
    return f"""\
[supervisord]
nodaemon=true
{user}
logfile={_literal(place / "log" / "supervisord.log")}
loglevel=warn
pidfile={_literal(place / "supervisord.pid")}

[unix_http_server]
file={_literal(place / "supervisor.sock")}
username={CONTROL_USER}
password={CONTROL_USER}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:held_sockets]
supervisor.rpcinterface_factory=local.held_sockets:make
"""


def _server(server: Server, logs: Path, priority: int, stop_signal: str) -> str:
    return _program(
        f"program:{server.name}",
        _command(server.command()),
        priority=priority,
        stopsignal=stop_signal,
        stopwaitsecs=60,
        stdout_logfile=_literal(_literal(logs / f"{server.name}.log")),  # this one it expands twice
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups=1,
    )


def _api(service: str, topology: Topology) -> str:
    """The replicas share one socket, which supervisor binds and hands over as standard input."""
    return _program(
        f"fcgi-program:{service}-api",
        _command([sys.executable, "-m", service, "api", "--fd", "0"]),
        priority=PROCESS,
        process_name="%(program_name)s-%(process_num)d",
        numprocs=topology.replicas,
        socket=f"tcp://{topology.address(service)}",
        socket_backlog=4096,
        stopwaitsecs=15,
        stdout_logfile=CONSOLE,
        stdout_logfile_maxbytes=0,
    )


def _worker(service: str, topology: Topology) -> str:
    """A worker's number is its port, because supervisor can count but not add."""
    return _program(
        f"program:{service}-worker",
        _command([sys.executable, "-m", service, "worker", "--port"]) + " %(process_num)d",
        priority=PROCESS,
        process_name="%(program_name)s-%(process_num)d",
        numprocs=topology.replicas,
        numprocs_start=topology.ports[f"{service.upper()}_WORKER_PORT"],
        stopwaitsecs=15,
        stdout_logfile=CONSOLE,
        stdout_logfile_maxbytes=0,
    )


def _program(section: str, command: str, **options: object) -> str:
    """With startsecs=0 every exit counts as a crash: started again at once, for ever, without a growing delay."""
    always = {"autostart": "false", "autorestart": "true", "startsecs": 0, "redirect_stderr": "true"}
    given = {"command": command, **always, "killasgroup": "true", **options}
    return "".join(f"{line}\n" for line in (f"[{section}]", *(f"{name}={value}" for name, value in given.items())))


def _command(words: list[str]) -> str:
    return _literal(shlex.join(tethered(words)))


def _literal(value: object) -> str:
    """Supervisor expands %(names)s, so a percent sign stands doubled."""
    return str(value).replace("%", "%%")
