"""Docker where an engine answers, local processes elsewhere, and RUNTIME to decide otherwise."""

from pathlib import Path

import pytest

from local import runtime
from local.errors import LocalError


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client as the only program on PATH; what it answers is up to the test."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RUNTIME", raising=False)
    return tmp_path / "docker"


def answers(client: Path, script: str) -> None:
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)


def test_an_engine_with_compose_is_taken(client: Path) -> None:
    answers(client, "exit 0")

    assert runtime.choose() == "docker"


def test_a_client_without_an_engine_is_no_docker(client: Path) -> None:
    answers(client, "exit 1")

    assert runtime.choose() == "local"


def test_an_engine_without_compose_runs_containers_but_not_the_system(client: Path) -> None:
    answers(client, '[ "$1" != compose ]')

    assert runtime.docker_engine_available()
    assert runtime.choose() == "local"


@pytest.mark.usefixtures("client")
def test_without_a_client_there_is_no_docker() -> None:
    assert runtime.choose() == "local"


def test_runtime_decides_otherwise(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(client, "exit 0")
    monkeypatch.setenv("RUNTIME", "local")

    assert runtime.choose() == "local"


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(("chosen", "sentence"), [("docker", "no Docker engine"), ("podman", "it is local or docker")])
def test_a_choice_that_cannot_be_is_a_sentence(monkeypatch: pytest.MonkeyPatch, chosen: str, sentence: str) -> None:
    monkeypatch.setenv("RUNTIME", chosen)

    with pytest.raises(LocalError, match=sentence):
        runtime.choose()
