"""`./justw ops …` against the system that runs: with Docker from inside ordering, since private ports aren't published."""

import getpass
import os
import sys

from chassis.web.access import Role
from local import instance, runtime
from local.compose import COMPOSE, become
from local.development_issuer import DevelopmentIssuer
from local.errors import LocalError, run_main
from local.secrets import Secrets
from local.topology import Topology


def main() -> None:
    os.environ |= _staff_token()
    if runtime.choose() == "docker":
        person = f"OPS_PERSON={getpass.getuser()}"  # in the container everybody is the same user
        given = ("--env", person, "--env", "OPS_STAFF_TOKEN")
        become(*COMPOSE, "exec", *given, "ordering", "python", "-m", "ops", *sys.argv[1:])
    topology = Topology.from_environment()
    secrets = Secrets(instance.place() / "secrets")
    if not secrets.directory.exists():
        raise LocalError("Nothing has run here yet: start it with `./justw up`.")
    os.environ |= topology.environment(secrets) | {
        "OPS_ORDERING_URL": f"http://{topology.address('ordering')}",
        "OPS_FULFILMENT_URL": f"http://{topology.address('fulfilment')}",
    }
    become(sys.executable, "-m", "ops", *sys.argv[1:])


def _staff_token() -> dict[str, str]:
    """That of whoever has one. Otherwise, if there is a development issuer, one of its: an open system doesn't look at it."""
    issuer = DevelopmentIssuer.of_place()
    if os.environ.get("OPS_STAFF_TOKEN") or not issuer.exists:
        return {}
    return {"OPS_STAFF_TOKEN": issuer.token(Role.STAFF, "operator", hours=1)}


if __name__ == "__main__":
    run_main(main)
