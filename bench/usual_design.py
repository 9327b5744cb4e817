"""Running the usual design on the servers of the system it is compared with."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from redis import Redis

from bench import wrk
from bench.cells import MANY
from bench.ours import Ours
from bench.subject import BENCH_PYTHON, HUNDRED, Helper, Subject, uvicorn
from local.errors import LocalError
from local.processes import free_port
from local.topology import HOST, ROOT

WORKERS = 2
THREADS = (4, 8, 16, 40)  # 40 is what FastAPI has by itself
REDIS_DATABASE = 1
GRANT = (
    "CREATE DATABASE IF NOT EXISTS usual CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; "
    "CREATE USER IF NOT EXISTS 'usual'@'%' IDENTIFIED BY 'usual'; GRANT ALL PRIVILEGES ON usual.* TO 'usual'@'%'"
)


def rates_by_threads(directory: Path, ours: Ours, seconds: float) -> dict[int, float]:
    """At its best means with the number of threads that serves it best on this machine, and that is tried out."""
    rates = {}
    for threads in THREADS:
        with usual(directory, ours, threads) as subject:
            load = subject.load("place", MANY, seconds)
            wrk.run(replace(load, seconds=5))
            rates[threads] = wrk.run(load).rate(201)
    return rates


@contextmanager
def usual(directory: Path, ours: Ours, threads: int) -> Iterator[Subject]:
    """`threads` serve requests in each worker, every one with a connection of its own.

    Celery works off an order in 5 s a process, so after a load thousands wait: they are dropped, nobody pays for them.
    """
    ours.execute(GRANT)
    redis = f"redis://{HOST}:{ours.ports['REDIS_PORT']}/{REDIS_DATABASE}"
    environment = {
        "PYTHONPATH": str(ROOT),
        "USUAL_DATABASE_URL": f"mysql+pymysql://usual:usual@{HOST}:{ours.ports['MYSQL_PORT']}/usual?charset=utf8mb4",
        "USUAL_REDIS_URL": redis,
        "USUAL_THREADS": str(threads),
    }
    python, port = str(BENCH_PYTHON), free_port()
    _make_tables(Helper("prepare", directory, [python, "-m", "bench.usual.database"], environment=environment))
    words = [python, "-m", "celery", "-A", "bench.usual.tasks", "worker", "--concurrency=2", "-l", "WARNING"]
    serve = uvicorn("bench.usual.app:app", port, workers=WORKERS, python=python)
    with (
        Redis.from_url(redis) as queue,
        Helper("celery", directory, words, environment=environment).serving() as celery,
        Helper("usual", directory, serve, port, environment).serving() as api,
    ):
        servers = {name: pid for name, pid in ours.processes().items() if name in {"mysql", "redis"}}
        pids = {"usual": api, "celery": celery, **servers}
        products = {"place": HUNDRED, "hot": HUNDRED[:1]}
        try:
            yield Subject(f"http://{HOST}:{port}", products, lambda: pids, lambda: _drop(queue))
        finally:
            _drop(queue)


def _drop(queue: Redis) -> None:
    queue.flushdb()


def _make_tables(helper: Helper) -> None:
    if not BENCH_PYTHON.exists():
        raise LocalError(f"{BENCH_PYTHON} is missing: start the benchmark with ./justw bench, which makes it.")
    done = subprocess.run(helper.command(), capture_output=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"The usual design could not make its tables: {done.stderr.decode(errors='replace')}")
