"""Ports and replicas come from the environment, and each process is told where the others are."""

import socket

import pytest

from local.errors import LocalError
from local.topology import PORTS, Topology


@pytest.fixture
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PORTS, "REPLICAS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_no_settings")
def test_ports_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "18000")

    topology = Topology.from_environment()

    assert topology.ports == {**PORTS, "GATEWAY_PORT": 18000}
    assert topology.replicas == 1


@pytest.mark.usefixtures("_no_settings")
@pytest.mark.parametrize("value", ["0", "eleven", "-1", "11", "1.5", "²"])
def test_replicas_that_make_no_sense_are_a_sentence(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("REPLICAS", value)

    with pytest.raises(LocalError, match=r"REPLICAS=.* makes no sense: it is a number from 1 to 10\."):
        Topology.from_environment()


def test_a_taken_port_is_named_with_the_variable_that_moves_it() -> None:
    first = 19_870  # below those that the kernel hands out, so that no neighbour has it
    with socket.create_server(("127.0.0.1", first + 1)):
        sentence = Topology({"ORDERING_WORKER_PORT": first}, replicas=2).taken_port()

    assert sentence == f"Port {first + 1} is taken: stop what uses it, or set ORDERING_WORKER_PORT to a free one."


def test_a_service_is_told_of_its_own_schema_and_its_own_users() -> None:
    environment = Topology().environment()

    assert (
        environment["CATALOG_DATABASE_URL"]
        == "mysql+pymysql://catalog_run:catalog_run@127.0.0.1:3307/catalog?ssl_disabled=true"
    )
    assert environment["ORDERING_MIGRATION_URL"].startswith("mysql+pymysql://ordering_migrate:")
    assert environment["ORDERING_CATALOG_URL"] == "http://127.0.0.1:8101"
    assert environment["FULFILMENT_REDIS_URL"] == "redis://127.0.0.1:6380/0"
