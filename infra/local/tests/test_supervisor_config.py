"""What we write for supervisord, read by supervisord's own parser."""

from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from local import supervisor_config
from local.redis_server import Redis
from local.topology import PORTS, Topology


@pytest.fixture
def groups(tmp_path: Path) -> dict[str, Any]:
    place = tmp_path / "100% ours"
    place.mkdir()
    server = Redis(place / "redis", 1)
    gateway = Redis(place / "gateway", 2, name="gateway")
    (place / "log").mkdir()
    file = place / "supervisord.conf"
    file.write_text(supervisor_config.render(Topology(PORTS, replicas=2), [server], gateway, place))
    options = ServerOptions()
    options.realize(["-c", str(file)])
    return {group.name: group for group in options.process_group_configs}


def names(group: Any) -> list[str]:
    return [process.name for process in group.process_configs]


def test_there_are_two_of_every_api_and_worker_and_one_of_each_server(groups: dict[str, Any]) -> None:
    assert {name: len(group.process_configs) for name, group in groups.items()} == {
        "redis": 1,
        "catalog-api": 2,
        "ordering-api": 2,
        "fulfilment-api": 2,
        "ordering-worker": 2,
        "fulfilment-worker": 2,
        "gateway": 1,
    }


def test_the_replicas_of_an_api_share_one_socket(groups: dict[str, Any]) -> None:
    assert groups["ordering-api"].socket_config.url == "tcp://127.0.0.1:8102"
    assert names(groups["ordering-api"]) == ["ordering-api-0", "ordering-api-1"]


def test_each_worker_has_a_port_of_its_own(groups: dict[str, Any]) -> None:
    commands = [process.command for process in groups["fulfilment-worker"].process_configs]

    assert [command.split()[-4:] for command in commands] == [
        ["fulfilment", "worker", "--port", "8130"],
        ["fulfilment", "worker", "--port", "8131"],
    ]


def test_what_starts_first_ends_last(groups: dict[str, Any]) -> None:
    order = sorted(groups.values(), key=lambda group: int(group.priority))

    assert order[0].name == "redis"
    assert order[-1].name == "gateway"


def test_a_crash_is_answered_with_a_start_however_often_it_happens(groups: dict[str, Any]) -> None:
    processes = [process for group in groups.values() for process in group.process_configs]

    assert {process.autorestart.__name__ for process in processes} == {"RestartUnconditionally"}
    assert {process.startsecs for process in processes} == {0}


def test_a_percent_sign_in_a_path_is_kept(groups: dict[str, Any]) -> None:
    redis = groups["redis"].process_configs[0]

    assert redis.stdout_logfile.endswith("/100% ours/log/redis.log")
    assert "/100% ours/redis" in redis.command
