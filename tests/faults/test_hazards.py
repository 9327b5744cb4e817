"""Rows of the hazard list that no other test covers; docs/guarantees.md says which test covers which row."""

import time
from pathlib import Path

from sqlalchemy import MetaData

from chassis.database.transactions import Database
from chassis.process.heartbeat import Heartbeat, workers_table
from contracts.streams import ORDERING
from faults import redis_faults
from harness.engine import RedisServer


async def test_a_worker_says_goodbye_without_a_fuss_although_the_database_is_away() -> None:
    """Hazard 34: it would end with an error, and leave its connections to Redis and catalog open."""
    database = Database("mysql+pymysql://nobody:nobody@127.0.0.1:1/nothing", connections=1)

    await Heartbeat(database, workers_table(MetaData()), "here").end()

    database.close()


def _append_only_file(directory: Path, *seconds_ago: float) -> Path:
    folder = directory / "appendonlydir"
    folder.mkdir()
    file = folder / "appendonly.aof.1.incr.aof"
    command = b"*1\r\n$4\r\nPING\r\n"
    file.write_bytes(b"".join(b"#TS:%d\r\n" % int(time.time() - ago) + command for ago in seconds_ago))
    return file


def test_the_last_second_is_cut_off_at_the_start_of_a_command(tmp_path: Path) -> None:
    """Hazard 20, as the fault run makes it."""
    file = _append_only_file(tmp_path, 60, 30, 0.2)
    whole = file.stat().st_size

    lost = redis_faults.cut_last_second(tmp_path)

    assert lost == whole // 3
    assert file.read_bytes().endswith(b"PING\r\n")


def test_nothing_is_cut_off_what_is_older(tmp_path: Path) -> None:
    file = _append_only_file(tmp_path, 60, 30)
    whole = file.stat().st_size

    assert redis_faults.cut_last_second(tmp_path) == 0
    assert file.stat().st_size == whole


def test_deliveries_are_repeated_without_the_poison(redis_url: str, redis_server: RedisServer) -> None:
    poison: list[tuple[str, str]] = []
    redis_faults.poison(redis_server.port, 1, poison)
    with redis_faults.connect(redis_server.port) as client:
        client.xadd(ORDERING.name, {b"__data__": b"an event"})

        assert len(poison) == 6
        assert redis_faults.repeat(redis_server.port, seed=1) == 1
        assert client.xlen(ORDERING.name) == 5
