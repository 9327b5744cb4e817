"""A service's user can send Redis what is listed for it in infra/redis, and nothing else. (Promise 7)"""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import redis

from harness.engine import RedisServer
from harness.privileges import listed_for_redis
from local.processes import free_port, running
from local.redis_server import Redis
from local.secrets import Secrets
from local.topology import WORKERS

USERS = [*WORKERS, "health"]
KEYS = ["ordering", "fulfilment", "ordering:mark", "rate:somebody", "something else"]


ALWAYS = {"auth", "hello", "quit", "reset"}  # of a connection that hasn't even said who it is


def example(name: str, arity: int, key: str) -> list[str]:
    """A command with as many arguments as it needs, all of them the key, as far as that goes."""
    words = name.split("|")
    if name == "eval":
        return ["eval", "return 1", "1", key]
    if name == "xreadgroup":
        return [*words, "group", "a group", "a consumer", "streams", key, ">"]
    return [*words, *[key] * (abs(arity) - len(words))]


@pytest.fixture(scope="module")
def commands(redis_server: RedisServer) -> dict[str, Any]:
    """All that this server has, by name, subcommands as `xinfo|groups`."""
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        names = client.execute_command("COMMAND LIST")
        return dict(zip(names, client.execute_command("COMMAND INFO", *names), strict=True))


@pytest.mark.parametrize("user", USERS)
def test_a_user_may_send_what_is_listed_and_nothing_else(
    redis_server: RedisServer, commands: dict[str, Any], user: str
) -> None:
    """Asked of the server, for every command it has and every key: dry, so that nothing is really done."""
    assert len(commands) > 300
    asked = [(key, name) for name in commands if name not in ALWAYS for key in KEYS]
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        pipe = client.pipeline(transaction=False)
        for key, name in asked:
            pipe.execute_command("ACL DRYRUN", user, *example(name, commands[name][1], key))
        answers = pipe.execute(raise_on_error=False)

    done = {one for one, answer in zip(asked, answers, strict=True) if answer == "OK"}
    may = {(key, name) for key in ["", *KEYS] for listed, name in listed_for_redis(user) if fnmatch(key, listed)}
    assert done == {(key, name) for key, name in asked if (key, name) in may or ("", name) in may}


def refusal(url: str, *command: str) -> str:
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.NoPermissionError) as refused:
        client.execute_command(*command)
    return str(refused.value)


@pytest.mark.parametrize("service", WORKERS)
@pytest.mark.parametrize(
    "command", ["FLUSHALL", "DEL {other}", "CONFIG GET dir", "KEYS *", "ACL LIST", "XTRIM {other} MAXLEN 0"]
)
def test_a_service_is_refused(redis_server: RedisServer, service: str, command: str) -> None:
    [other] = set(WORKERS) - {service}

    assert "no permissions" in refusal(redis_server.url_of(service), *command.format(other=other).split()).lower()


@pytest.mark.parametrize("service", WORKERS)
def test_a_service_is_nobody_without_its_password(redis_server: RedisServer, service: str) -> None:
    url = redis_server.url.replace("redis://", f"redis://{service}:{'0' * 64}@")
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()


def test_in_production_nobody_gets_in_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    secrets = Secrets(tmp_path / "secrets")
    secrets.make()
    server = Redis(tmp_path, free_port(), secrets.redis_users)

    with running(server), redis.Redis(port=server.port) as client, pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()
