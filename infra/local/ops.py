"""`./justw ops …` against the system that runs: with Docker from inside ordering, since private ports aren't published."""

import getpass
import os
import sys

from local import runtime
from local.compose import COMPOSE, become
from local.errors import run_main
from local.topology import Topology


def main() -> None:
    if runtime.choose() == "docker":
        person = f"OPS_PERSON={getpass.getuser()}"  # in the container everybody is the same user
        become(*COMPOSE, "exec", "-e", person, "ordering", "python", "-m", "ops", *sys.argv[1:])
    topology = Topology.from_environment()
    os.environ |= topology.environment() | {
        "OPS_ORDERING_URL": f"http://{topology.address('ordering')}",
        "OPS_FULFILMENT_URL": f"http://{topology.address('fulfilment')}",
        "OPS_TOKEN": topology.environment()["ORDERING_OPERATOR_TOKENS"],
    }
    become(sys.executable, "-m", "ops", *sys.argv[1:])


if __name__ == "__main__":
    run_main(main)
