"""What a process says of who may use it, before it serves anybody; and what it refuses to start with."""

import json
import os
import subprocess
import sys

import pytest

from local.topology import ROOT

LONG = "a secret of more than 32 characters"  # as production wants them
AWAY = f"mysql+pymysql://nobody:{LONG.replace(' ', '-')}@127.0.0.1:9/nothing"
SETTINGS = {
    **{f"{service}_DATABASE_URL": AWAY for service in ("CATALOG", "ORDERING", "FULFILMENT")},
    **{
        f"{service}_REDIS_URL": f"redis://nobody:{LONG.replace(' ', '-')}@127.0.0.1:9"
        for service in ("ORDERING", "FULFILMENT")
    },
    **{f"ORDERING_{neighbour}_URL": "http://127.0.0.1:9" for neighbour in ("CATALOG", "FULFILMENT")},
    "CATALOG_ORDERING_TOKENS": LONG,
    "ORDERING_CATALOG_TOKEN": LONG,
    "ORDERING_OPERATOR_TOKENS": LONG,
    "FULFILMENT_OPERATOR_TOKENS": LONG,
}


def started(service: str, **settings: str) -> tuple[int, str]:
    """Its exit status, and what it said. It can't listen at an address that is nobody's, so it ends by itself."""
    done = subprocess.run(
        [sys.executable, "-m", service, "api", "--host", "192.0.2.1"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}/libs:{ROOT}/services", **SETTINGS, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("service", ["catalog", "ordering", "fulfilment"])
def test_in_production_no_service_starts_without_an_issuer(service: str) -> None:
    status, said = started(service, ENVIRONMENT="production")

    assert (status, json.loads(said)["message"]) == (
        1,
        f"{service} api can't start: ENVIRONMENT=production needs AUTH_ISSUER: without one anybody may do everything",
    )


def test_without_an_issuer_a_process_says_that_it_is_open_before_it_listens() -> None:
    _, said = started("catalog")

    assert said.index("AUTH_ISSUER is not set: anybody may do everything") < said.index("listening on")


def test_a_setting_that_is_wrong_is_named_in_one_line() -> None:
    status, said = started("catalog", ENVIRONMENT="staging", AUTH_LEEWAY_SECONDS="-1")

    assert (status, json.loads(said)["message"]) == (
        1,
        "catalog api can't start: these settings are missing or wrong: ENVIRONMENT, AUTH_LEEWAY_SECONDS",
    )
