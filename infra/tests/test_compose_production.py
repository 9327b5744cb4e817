"""What docker-compose.production.yml changes: what can be reached, and what has to be given."""

import re
from typing import Any

import pytest
import yaml

from local.topology import ROOT, SERVICES, WORKERS

PROCESSES = [*SERVICES, *(f"{service}-worker" for service in WORKERS)]


class Loader(yaml.SafeLoader):
    """Knows the tags by which compose replaces what it would merge. Each becomes a pair of the tag and its value."""


def _tagged(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> tuple[str, list[Any]]:
    return node.tag, loader.construct_sequence(node)


for tag in ("!reset", "!override"):
    Loader.add_constructor(tag, _tagged)

BASE: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
COMPOSE = yaml.load((ROOT / "docker-compose.production.yml").read_text(), Loader)  # noqa: S506 - a safe one
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_only_the_gateway_can_be_reached_and_only_by_tls() -> None:
    published = {name for name, container in BASE.items() if "ports" in container}

    assert {name: CONTAINERS[name]["ports"] for name in published} == {
        "gateway": ("!override", ["${GATEWAY_TLS_PORT:-8443}:8443"]),
        "mysql": ("!reset", []),
        "redis": ("!reset", []),
    }
    assert not [name for name in CONTAINERS.keys() - published if "ports" in CONTAINERS[name]]


def test_the_gateway_gets_its_certificate_and_key_as_secrets() -> None:
    gateway = CONTAINERS["gateway"]

    assert gateway["environment"]["GATEWAY_TLS_ADDRESS"] == "8443"
    for name, variable in (("certificate", "GATEWAY_TLS_CERTIFICATE"), ("key", "GATEWAY_TLS_KEY")):
        assert gateway["environment"][variable] == f"/run/secrets/gateway-{name}"
        assert COMPOSE["secrets"][f"gateway-{name}"]["file"].startswith(f"${{{variable}:?")
    assert gateway["secrets"] == ["gateway-certificate", "gateway-key"]


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_knows_that_it_is_in_production_and_whose_tokens_count(name: str) -> None:
    environment = CONTAINERS[name]["environment"]

    assert environment["ENVIRONMENT"] == "production"
    assert environment["AUTH_ISSUER"].startswith("${AUTH_ISSUER:?")
    assert environment["AUTH_JWKS"].startswith("${AUTH_JWKS:?")


@pytest.mark.parametrize("name", sorted(BASE))
def test_no_secret_of_development_is_left(name: str) -> None:
    """What has a default there, and is a secret by its name, has to be given here."""
    there = BASE[name].get("environment", {})
    here = CONTAINERS.get(name, {}).get("environment", {})
    secret = re.compile(r"\$\{(\w*(?:TOKEN|PASSWORD|SECRET)\w*):-")

    kept = {key for key, value in there.items() if secret.search(value or "") and ":?" not in here.get(key, "")}
    assert kept == set()
