"""A power cut can't be tried here: what a killed process wrote, the kernel keeps. So the settings it rests on are asked for.

`test_compose.py` sees to it that the composed servers have the same.
"""

from pathlib import Path

import redis

from local.mysql_server import MySQL
from local.processes import free_port, running
from local.redis_server import Redis


def test_mysql_has_written_a_commit_to_disk_before_it_answers(tmp_path: Path) -> None:
    server = MySQL(tmp_path / "mysql", free_port())
    with running(server), server.admin() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        variables = {str(name).lower(): str(value).lower() for name, value in cursor.fetchall()}

    assert variables["innodb_flush_log_at_trx_commit"] == "1"
    assert variables["innodb_doublewrite"] in {"on", "1", "detect_and_recover"}
    assert variables["innodb_flush_method"] in {"fsync", "o_direct", "o_dsync"}
    assert variables["log_bin"] == "off" or variables["sync_binlog"] == "1"


def test_redis_loses_its_last_second_at_most_and_evicts_nothing(tmp_path: Path) -> None:
    server = Redis(tmp_path / "redis", free_port())
    with running(server), redis.Redis(port=server.port, decode_responses=True) as client:
        kept = {name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy")}

    assert kept == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
