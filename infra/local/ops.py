"""`./justw ops …` against the system that runs: with Docker from inside ordering, since private ports aren't published."""

import os
import sys

from local import instance, runtime
from local.compose import COMPOSE, become
from local.errors import LocalError, run_main
from local.secrets import Secrets
from local.topology import Topology


def main() -> None:
    if runtime.choose() == "docker":
        become(*COMPOSE, "exec", "ordering", "python", "-m", "ops", *sys.argv[1:])
    topology = Topology.from_environment()
    secrets = Secrets(instance.place() / "secrets")
    if not secrets.directory.exists():
        raise LocalError("Nothing has run here yet: start it with `./justw up`.")
    os.environ |= topology.environment(secrets) | {
        "OPS_ORDERING_URL": f"http://{topology.address('ordering')}",
        "OPS_FULFILMENT_URL": f"http://{topology.address('fulfilment')}",
    }
    become(sys.executable, "-m", "ops", *sys.argv[1:])


if __name__ == "__main__":
    run_main(main)
