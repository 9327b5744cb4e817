"""What the system is held against besides the usual design: a route that does nothing, and a server that isn't Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.subject import Helper, Subject, uvicorn
from local.binaries import find
from local.processes import free_port
from local.topology import HOST, ROOT

HUNDRED = list(range(1, 101))
PRODUCTS = {"place": HUNDRED, "read": HUNDRED}
ANSWER = (
    '{"id":1,"product_id":1,"quantity":1,"created_at":"2026-01-01T00:00:00.000000Z","state":"placed",'
    '"items":[{"product_id":1,"quantity":1,"unit_price":9.99}],"total":9.99}'
)


@contextmanager
def noop(directory: Path) -> Iterator[Subject]:
    port = free_port()
    environment = {"PYTHONPATH": str(ROOT)}
    helper = Helper("noop", directory, uvicorn("bench.noop:app", port, workers=1), port, environment)
    with helper.serving() as pid:
        yield Subject(f"http://{HOST}:{port}", PRODUCTS, lambda: {"noop": pid})


@contextmanager
def static(directory: Path) -> Iterator[Subject]:
    """nginx answers the same bytes to everything: what it serves is what the generator can ask for."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "static.conf"
    configuration.write_text(_static(port, directory))
    words = [find("nginx"), "-e", "stderr", "-p", str(directory), "-c", str(configuration), "-g", "daemon off;"]
    with Helper("static", directory, words, port).serving() as pid:
        yield Subject(f"http://{HOST}:{port}", PRODUCTS, lambda: {"nginx": pid})


def _static(port: int, directory: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"    {kind}_temp_path {directory}/temp-{kind};" for kind in kinds)
    return f"""\
worker_processes 1;
pid {directory}/static.pid;
events {{ worker_connections 2048; }}
http {{
{places}
    access_log off;
    keepalive_requests 100000000;
    default_type application/json;
    server {{
        listen {HOST}:{port} backlog=4096;
        location /api/v1/orders {{ return 201 '{ANSWER}'; }}
        location / {{ return 200 '{ANSWER}'; }}
    }}
}}
"""
