"""What the system is held against besides the usual design: a route that does nothing, and a server that isn't Python."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.subject import HUNDRED, Helper, Subject, uvicorn
from local.binaries import find
from local.gateway_server import Gateway
from local.processes import free_port, running
from local.topology import HOST, ROOT, SERVICES

CONFIGURATION = Path(__file__).with_name("static.conf")
PRODUCTS = {"place": HUNDRED, "read": HUNDRED}


@contextmanager
def noop(directory: Path) -> Iterator[Subject]:
    port = free_port()
    environment = {"PYTHONPATH": str(ROOT)}
    with Helper("noop", directory, uvicorn("bench.noop:app", port, workers=1), port, environment).serving() as pid:
        yield Subject(f"http://{HOST}:{port}", PRODUCTS, lambda: {"noop": pid})


@contextmanager
def noop_behind_gateway(directory: Path) -> Iterator[Subject]:
    """The gateway is the system's own: what only it costs is the difference."""
    with noop(directory) as direct:
        upstreams = {service: [direct.url.removeprefix("http://")] for service in SERVICES}
        gateway = Gateway(directory / "gateway", free_port(), upstreams)
        with running(gateway) as process:
            pids = {**direct.processes(), "gateway": process.pid}
            yield Subject(f"http://{HOST}:{gateway.port}", PRODUCTS, lambda: pids)


@contextmanager
def static(directory: Path) -> Iterator[Subject]:
    port, place = free_port(), directory / "static"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIGURATION, place / "nginx.conf")
    (place / "listen.conf").write_text(f"listen {HOST}:{port} backlog=4096;\n")
    words = [find("nginx"), "-e", "stderr", "-p", str(place), "-c", f"{place}/nginx.conf", "-g", "daemon off;"]
    with Helper("static", directory, words, port).serving() as pid:
        yield Subject(f"http://{HOST}:{port}", PRODUCTS, lambda: {"nginx": pid})
