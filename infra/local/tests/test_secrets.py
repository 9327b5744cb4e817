"""Secrets are made once, are nobody's but their owner's, and stand nowhere else."""

import stat
import subprocess
from pathlib import Path

import pytest

from local.errors import LocalError
from local.secrets import Secrets
from local.topology import ROOT, Topology


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    secrets = Secrets(tmp_path / "secrets")
    secrets.make()
    return secrets


def files(secrets: Secrets) -> dict[str, str]:
    return {str(file): file.read_text() for file in secrets.directory.rglob("*") if file.is_file()}


def test_they_are_made_once(secrets: Secrets) -> None:
    before = files(secrets)

    secrets.make()

    assert files(secrets) == before


def test_no_two_systems_have_the_same_and_no_two_parts(secrets: Secrets, tmp_path: Path) -> None:
    other = Secrets(tmp_path / "other")
    other.make()

    passwords = [*secrets.mysql_passwords().values(), *other.mysql_passwords().values()]
    assert len(set(passwords)) == len(passwords) == 12
    assert all(len(password) == 64 for password in passwords)


def test_only_their_owner_can_read_them(secrets: Secrets) -> None:
    found = [secrets.directory, *secrets.directory.rglob("*")]

    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in found} == {0}


def test_who_talks_to_another_has_the_same_as_he(secrets: Secrets) -> None:
    value = secrets.value

    assert value("ORDERING_CATALOG_TOKEN") == value("CATALOG_ORDERING_TOKENS")
    assert value("OPS_TOKEN") == value("ORDERING_OPERATOR_TOKENS") == value("FULFILMENT_OPERATOR_TOKENS")
    assert value("CATALOG_DATABASE_PASSWORD") == secrets.mysql_passwords()["catalog_run"]


def test_what_the_environment_gives_is_taken_also_later(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_TOKEN", "another")
    monkeypatch.setenv("ORDERING_REDIS_PASSWORD", "mine")

    secrets.make()

    assert secrets.value("FULFILMENT_OPERATOR_TOKENS") == "another"
    assert "user ordering on >mine " in secrets.redis_users.read_text()


@pytest.mark.parametrize("wrong", ["it's", "a b", "a\nb", "$(id)"])
def test_what_could_be_taken_for_more_than_a_secret_is_refused(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("CATALOG_DATABASE_PASSWORD", wrong)

    with pytest.raises(LocalError, match=r"CATALOG_DATABASE_PASSWORD may hold letters, digits and"):
        secrets.make()


def test_production_refuses_the_well_known_password_of_root(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("MYSQL_ROOT_PASSWORD", "root")

    with pytest.raises(LocalError, match="no MYSQL_ROOT_PASSWORD of fewer than 32 characters"):
        secrets.make()


def test_no_process_is_given_a_secret_but_by_file(secrets: Secrets) -> None:
    """The environment of a process can be read by others of its user, and finds its way into reports."""
    told = Topology().environment(secrets)

    assert not any(secret in value for secret in files(secrets).values() for value in told.values())


def test_none_is_in_the_tree() -> None:
    """Nor would git or an image take those that a run makes."""
    names = [".local/secrets/catalog/CATALOG_DATABASE_PASSWORD", ".local/secrets/redis/users.acl"]
    ignored = subprocess.run(["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ignored.stdout.split() == names
    assert "infra/secrets" not in (ROOT / "infra" / "Dockerfile").read_text()
