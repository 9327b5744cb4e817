"""`python -m local.reset`: forget all data of the system."""

import shutil

from local import compose, instance, runtime
from local.errors import run_main
from local.topology import Topology


def main() -> None:
    if runtime.choose() == "docker":
        compose.reset()
    place = instance.place()
    with instance.alone_in(place, Topology.from_environment()):
        shutil.rmtree(place)
    print("All data is forgotten.")


if __name__ == "__main__":
    run_main(main)
