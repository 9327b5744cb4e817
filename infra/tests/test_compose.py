"""docker-compose.yml says the same as the topology without Docker, and keeps the rules of one that recovers by itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.process.serve import DRAIN_SECONDS
from local.mysql_server import MySQL
from local.redis_server import Redis
from local.topology import PORTS, ROOT, SERVICES, WORKERS, Topology

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]

SERVERS = {"gateway", "mysql", "redis"}
MIGRATIONS = {f"{service}-migrate" for service in SERVICES}
PROCESSES = {*SERVICES, *(f"{service}-worker" for service in WORKERS)}
CATALOG = {"catalog-migrate", "catalog"}
ORDERING = {"ordering-migrate", "ordering", "ordering-worker"}
FULFILMENT = {"fulfilment-migrate", "fulfilment", "fulfilment-worker"}


def service_of(container: str) -> str:
    return container.partition("-")[0]


def options(command: list[str], *, but: tuple[str, ...] = ()) -> set[str]:
    """With their values, whether those are words of their own or not. Their order says nothing."""
    given = " ".join(command).split(" --")[1:]
    return {option for option in given if not option.startswith(but)}


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("catalog", {"mysql", "gateway"} | CATALOG),
        ("ordering", SERVERS | CATALOG | ORDERING),
        ("fulfilment", SERVERS | FULFILMENT),
        ("all", SERVERS | MIGRATIONS | PROCESSES),
    ],
)
def test_a_profile_runs_what_its_service_needs_and_no_more(profile: str, expected: set[str]) -> None:
    running = {name for name, container in CONTAINERS.items() if profile in container["profiles"]}

    assert running == expected


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
def test_what_runs_on_is_checked_and_started_again_whatever_its_exit_code(name: str) -> None:
    container = CONTAINERS[name]

    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"]
    assert container["healthcheck"]["start_interval"] == "1s"


@pytest.mark.parametrize("name", sorted(MIGRATIONS))
def test_a_migration_runs_once_and_a_failure_shows(name: str) -> None:
    migration = CONTAINERS[name]

    assert migration["command"] == ["migrate"]
    assert migration["depends_on"] == {"mysql": {"condition": "service_healthy"}}
    assert not migration.keys() & {"restart", "healthcheck", "scale"}


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_waits_for_its_migration_and_its_servers(name: str) -> None:
    needed = {"mysql"} if name == "catalog" else {"mysql", "redis"}

    expected = {server: {"condition": "service_healthy"} for server in needed}
    expected[f"{service_of(name)}-migrate"] = {"condition": "service_completed_successfully"}
    assert CONTAINERS[name]["depends_on"] == expected


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_can_be_scaled_and_has_time_to_drain(name: str) -> None:
    process = CONTAINERS[name]

    assert process["scale"] == "${REPLICAS:-1}"
    assert not process.keys() & {"container_name", "ports"}
    assert int(process["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS + 10  # uvicorn's own patience


def test_the_gateway_stops_first_but_needs_nobody_to_start() -> None:
    dependencies = CONTAINERS["gateway"]["depends_on"]

    assert dependencies == {service: {"condition": "service_started", "required": False} for service in SERVICES}


@pytest.mark.parametrize("name", sorted(PROCESSES | MIGRATIONS))
def test_a_service_has_one_image_built_by_the_shared_recipe(name: str) -> None:
    service = service_of(name)

    build = CONTAINERS[f"{service}-migrate"]["build"]
    assert build == {"dockerfile": "infra/Dockerfile", "args": {"SERVICE": service}}
    assert CONTAINERS[name]["image"] == f"order-system-{service}"


def test_processes_are_told_the_same_as_without_docker() -> None:
    told: dict[str, str] = {}
    for name in MIGRATIONS | PROCESSES:
        told |= CONTAINERS[name]["environment"]

    addresses = {
        "mysql": "mysql:3306",
        "redis": "redis:6379",
        "catalog": "catalog:8101",
        "fulfilment": "fulfilment:8103",
    }
    topology = Topology()
    expected = topology.environment()
    for server, address in addresses.items():
        expected = {name: value.replace(topology.address(server), address) for name, value in expected.items()}
    tokens = {f"{service.upper()}_SERVICE_TOKEN": "${SERVICE_TOKEN:-local-service-token}" for service in SERVICES}
    only_here = {
        "FULFILMENT_PROCESSING_SECONDS": "${FULFILMENT_PROCESSING_SECONDS:-5}",
        "OPS_FULFILMENT_URL": "http://fulfilment:8103",
        "OPS_SERVICE_TOKEN": tokens["ORDERING_SERVICE_TOKEN"],
    }
    del expected["PYTHONPATH"]
    assert told == expected | tokens | only_here


def test_only_the_migration_knows_the_user_that_may_change_the_schema() -> None:
    knowing = {name for name, container in CONTAINERS.items() if "_migrate:" in str(container.get("environment"))}

    assert knowing == MIGRATIONS


def test_mysql_has_the_options_it_has_without_docker() -> None:
    here = options(["mysqld", *CONTAINERS["mysql"]["command"]])

    without_docker = MySQL(Path("unused"), 3307).command()
    where_it_runs = ("user", "datadir", "tmpdir", "socket", "pid-file", "bind-address", "port")
    given_by_the_image = ("no-defaults", "skip-name-resolve")
    assert here == options(without_docker, but=(*where_it_runs, *given_by_the_image))


def test_redis_has_the_options_it_has_without_docker() -> None:
    here = options(CONTAINERS["redis"]["command"])

    without_docker = Redis(Path("unused"), 6380).command()
    assert here == options(without_docker, but=("bind", "port", "dir"))


@pytest.mark.parametrize("service", SERVICES)
def test_the_gateway_finds_an_api_where_its_health_is_checked(service: str) -> None:
    port = CONTAINERS[service]["healthcheck"]["test"][-1]

    upstream = (ROOT / "infra/gateway/place" / f"{service}.conf").read_text()
    assert upstream.startswith(f"server {service}:{port} resolve ")
    assert int(port) == PORTS[f"{service.upper()}_PORT"]


@pytest.mark.parametrize("service", WORKERS)
def test_a_worker_is_checked_where_it_answers(service: str) -> None:
    worker = CONTAINERS[f"{service}-worker"]

    assert worker["command"] == ["worker"]
    assert worker["healthcheck"]["test"] == [
        "CMD",
        "python",
        "-m",
        "ready",
        str(PORTS[f"{service.upper()}_WORKER_PORT"]),
    ]


def test_data_outlives_the_containers() -> None:
    assert COMPOSE["volumes"] == {"mysql": None, "redis": None}
    assert "mysql:/var/lib/mysql" in CONTAINERS["mysql"]["volumes"]
    assert "redis:/data" in CONTAINERS["redis"]["volumes"]
