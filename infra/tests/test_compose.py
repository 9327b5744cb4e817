"""What docker-compose.yml promises and no start of it shows. That it starts and works, `.ci/run` tries with Docker."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.process.serve import DRAIN_SECONDS
from local.development_issuer import DevelopmentIssuer
from local.gateway_settings import GatewaySettings
from local.mysql_server import MySQL
from local.redis_server import Redis
from local.topology import PORTS, ROOT, SERVICES, WORKERS

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECURED = yaml.safe_load((ROOT / "docker-compose.secured.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]

SERVERS = {"gateway", "mysql", "redis"}
MIGRATIONS = {f"{service}-migrate" for service in SERVICES}
PROCESSES = {*SERVICES, *(f"{service}-worker" for service in WORKERS)}


def options(command: list[str], *, but: tuple[str, ...] = ()) -> set[str]:
    """With their values, whether those are words of their own or not. Their order says nothing."""
    given = " ".join(command).split(" --")[1:]
    return {option for option in given if not option.startswith(but)}


def test_only_servers_have_host_ports_and_those_on_loopback() -> None:
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}

    assert published == {
        name: [f"127.0.0.1:${{{variable}:-{PORTS[variable]}}}:{inside}"]
        for name, variable, inside in (
            ("gateway", "GATEWAY_PORT", 8000),
            ("mysql", "MYSQL_PORT", 3306),
            ("redis", "REDIS_PORT", 6379),
        )
    }


@pytest.mark.parametrize("name", sorted(SERVERS | PROCESSES))
def test_what_runs_on_is_started_again_whatever_its_exit_code(name: str) -> None:
    assert CONTAINERS[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_can_be_scaled_and_has_time_to_drain(name: str) -> None:
    process = CONTAINERS[name]

    assert process["scale"] == "${REPLICAS:-1}"
    assert int(process["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS + 10  # uvicorn's own patience


def test_only_the_migration_knows_the_user_that_may_change_the_schema() -> None:
    knowing = {name for name, container in CONTAINERS.items() if "_migrate@" in str(container.get("environment"))}

    assert knowing == MIGRATIONS


def test_nobody_is_given_secrets_of_others() -> None:
    mounted = {
        name: [volume.partition(":")[0] for volume in container.get("volumes", []) if "/run/secrets" in volume]
        for name, container in CONTAINERS.items()
    }

    whose = {name: name.removesuffix("-worker") for name in (SERVERS - {"gateway"}) | PROCESSES | MIGRATIONS}
    assert {name: volumes for name, volumes in mounted.items() if volumes} == {
        name: [f"{part}-secrets"] for name, part in whose.items()
    }
    assert set(CONTAINERS) - set(whose) == {"gateway", "secrets"}


def test_no_secret_stands_in_the_file() -> None:
    """But root's password of a development's MySQL, which a person may use from outside."""
    settings = [
        f"{name}={value}" for made in CONTAINERS.values() for name, value in made.get("environment", {}).items()
    ]
    secrets = [one for one in settings if re.search(r"(PASSWORD|TOKENS?)=", one) and not one.endswith("=None")]

    assert set(secrets) == {"MYSQL_ROOT_PASSWORD=${MYSQL_ROOT_PASSWORD:-root}"}
    assert all(
        re.fullmatch(r".*://[a-z_]+@[a-z]+:\d+/.*", one)
        for one in settings
        if re.search("mysql|redis", one) and "URL" in one
    )


@pytest.mark.parametrize("name", sorted(PROCESSES | MIGRATIONS))
def test_mysql_is_spoken_to_without_tls(name: str) -> None:
    urls = [value for value in CONTAINERS[name]["environment"].values() if "mysql" in value]

    assert urls
    assert all(url.endswith("?ssl_disabled=true") for url in urls)


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_is_told_whose_tokens_count_and_is_open_otherwise(name: str) -> None:
    environment = CONTAINERS[name]["environment"]

    assert environment["AUTH_ISSUER"] == "${AUTH_ISSUER:-}"
    assert environment["AUTH_JWKS"] == "${AUTH_JWKS:-}"
    assert environment["ENVIRONMENT"] == "${ENVIRONMENT:-development}"


def test_secured_every_process_trusts_the_development_issuer_and_sees_its_public_key_alone(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer(tmp_path)
    assert SECURED["services"].keys() == PROCESSES

    for process in SECURED["services"].values():
        [key] = process["volumes"]
        assert process["environment"] == issuer.environment() | {"AUTH_JWKS": key["target"]}
        assert key["source"] == "${JWKS_FILE:-./.local/auth/jwks.json}"
        assert key["read_only"]


def test_mysql_has_the_options_it_has_without_docker() -> None:
    here = options(["mysqld", *CONTAINERS["mysql"]["command"]])

    without_docker = MySQL(Path("unused"), 3307).command()
    where_it_runs = ("user", "datadir", "tmpdir", "socket", "pid-file", "bind-address", "port")
    given_by_the_image = ("no-defaults", "skip-name-resolve")
    assert here == options(without_docker, but=(*where_it_runs, *given_by_the_image))


def test_redis_has_the_options_it_has_without_docker() -> None:
    here = options(CONTAINERS["redis"]["command"])

    without_docker = Redis(Path("unused"), 6380).command()
    assert here == options(without_docker, but=("bind", "port", "dir")) | {"aclfile /run/secrets/users.acl"}


def test_data_outlives_the_containers() -> None:
    assert {"mysql", "redis"} <= set(COMPOSE["volumes"])
    assert "mysql:/var/lib/mysql" in CONTAINERS["mysql"]["volumes"]
    assert "redis:/data" in CONTAINERS["redis"]["volumes"]


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_nothing_in_a_container_can_become_more_than_it_is(name: str) -> None:
    container = CONTAINERS[name]

    assert container["cap_drop"] == ["ALL"]
    assert container.get("cap_add", []) == (["CHOWN", "SETGID", "SETUID"] if name == "gateway" else [])
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["read_only"] is True
    assert not container.get("privileged")


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_container_has_limits_that_any_machine_accepts(name: str) -> None:
    container = CONTAINERS[name]

    assert re.fullmatch("[1-9]g", container["mem_limit"])
    assert container["cpu_quota"] >= 100_000
    assert container["pids_limit"] > 0
    assert "cpus" not in container


def test_redis_refuses_before_it_is_ended_for_its_memory() -> None:
    [held] = re.findall("(\\d+)gb", " ".join(CONTAINERS["redis"]["command"]))

    assert 2 * int(held) <= int(CONTAINERS["redis"]["mem_limit"].removesuffix("g"))


def test_the_gateway_has_the_limits_it_has_without_docker() -> None:
    here = CONTAINERS["gateway"]["environment"]

    default = GatewaySettings()
    assert here == {
        "GATEWAY_RATE": f"${{GATEWAY_RATE:-{default.rate}}}",
        "GATEWAY_CONNECTIONS": f"${{GATEWAY_CONNECTIONS:-{default.connections}}}",
    }
