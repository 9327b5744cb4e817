"""Settings that make no sense, and ports that are taken, are a sentence."""

import socket

import pytest

from local.errors import LocalError
from local.topology import Topology


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
