"""Hazard 34: a restart under load drops nothing that a client could notice."""

import pytest

from flow.buyers import ordering_meanwhile
from harness.system import System, wait_until

CLIENTS = 4


@pytest.mark.parametrize("kind", ["catalog-api", "ordering-api"])
def test_a_rolling_restart_under_load_gives_no_client_an_error(system: System, kind: str) -> None:
    replicas = [process for name, process in sorted(system.processes.items()) if name.startswith(kind)]

    with ordering_meanwhile(system, system.product(stock=1_000_000), CLIENTS) as seen:
        for process in replicas:
            assert process.stop() == 0
            written = len(process.log_text())
            process.start()
            wait_until(lambda: "listening on" in process.log_text()[written:])  # noqa: B023 - called at once

    assert seen.answers.keys() == {"201"}
    assert seen.answers["201"] > CLIENTS
