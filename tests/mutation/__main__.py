"""`python -m mutation [module …]`: changes the code at the heart of the system bit by bit; the tests must notice.

Cosmic Ray makes the mutants, in a copy of the tree, one at a time. Each is killed by the module's own tests or has a line in
`survivors.toml` that says why it may live. Exits with 1 if one lives unexplained or too few are killed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from faults.seeded_bugs import copy_tree
from local.topology import ROOT

COSMIC_RAY = ROOT / ".tools" / "mutation" / "bin" / "cosmic-ray"
CONFIG = Path(__file__).with_name("cosmic-ray.toml")
LEAST_KILLED = 0.9

CATALOG, ORDERING, FULFILMENT = (f"services/{name}" for name in ("catalog", "ordering", "fulfilment"))
TESTS = {
    f"{CATALOG}/reserve_stock.py": f"{CATALOG}/tests",
    f"{CATALOG}/decide_reservations.py": f"{CATALOG}/tests/test_decide.py {CATALOG}/tests/test_customer_limits.py",
    f"{CATALOG}/customer_purchases.py": f"{CATALOG}/tests/test_customer_limits.py",
    f"{ORDERING}/place_orders.py": " ".join(
        f"{ORDERING}/tests/test_{name}.py" for name in ("decide", "accept", "place_orders", "resume_orders", "api")
    ),
    f"{ORDERING}/cancel_order.py": f"{ORDERING}/tests/test_cancel_order.py {ORDERING}/tests/test_api.py",
    f"{FULFILMENT}/on_order_cancelled.py": f"{FULFILMENT}/tests/test_on_order_cancelled.py",
    f"{FULFILMENT}/fulfil_orders.py": f"{FULFILMENT}/tests/test_fulfil_orders.py {FULFILMENT}/tests/test_fulfilling.py",
    f"{FULFILMENT}/take_over.py": f"{FULFILMENT}/tests/test_take_over.py {FULFILMENT}/tests/test_worker.py",
    "libs/chassis/messaging/relay.py": "libs/chassis/tests/test_relay.py",
    "libs/chassis/messaging/outbox.py": "libs/chassis/tests/test_relay.py",
}


@dataclass(frozen=True)
class Mutant:
    """`line` is the first line that it changes, as it was, and `operator` what Cosmic Ray did to it."""

    module: str
    operator: str
    line: str
    changed: str
    killed: bool


def run(module: str, tree: Path) -> list[Mutant]:
    config, session = tree / "cosmic-ray.toml", tree / "session.sqlite"
    paths = os.pathsep.join(str(tree / folder) for folder in ("libs", "services", "infra", "tests"))
    test = f"{sys.executable} -m pytest -q -x -p no:cacheprovider {TESTS[module]}"
    settings = CONFIG.read_text().replace("MODULE", module).replace("TEST_COMMAND", test)
    config.write_text(settings)
    session.unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    commands: list[list[str | Path]] = [
        [COSMIC_RAY, "init", config, session],
        [COSMIC_RAY.with_name("cr-filter-operators"), session, config],
        [COSMIC_RAY, "baseline", config],
        [COSMIC_RAY, "exec", config, session],
    ]
    for command in commands:
        subprocess.run(command, cwd=tree, env=environment, check=True)
    dump = subprocess.run([COSMIC_RAY, "dump", session], cwd=tree, check=True, capture_output=True, text=True)
    return list(_mutants(module, dump.stdout))


def _mutants(module: str, dump: str) -> Iterator[Mutant]:
    for entry in dump.splitlines():
        item, result = json.loads(entry)
        if result is not None and result["worker_outcome"] == "normal":
            yield _mutant(module, item["mutations"][0]["operator_name"], result)


def _mutant(module: str, operator: str, result: dict[str, Any]) -> Mutant:
    lines = (result["diff"] or "").splitlines()
    before = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    after = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    killed = result["test_outcome"] != "survived"
    return Mutant(module, operator.removeprefix("core/"), (before or [""])[0], (after or [""])[0], killed)


@dataclass(frozen=True)
class Known:
    """Mutants that may live. Lines that match `harmless` have none that count; those `explained` count, one by one."""

    harmless: re.Pattern[str]
    explained: frozenset[tuple[str, str, str]]

    @classmethod
    def read(cls) -> "Known":
        listed = tomllib.loads(Path(__file__).with_name("survivors.toml").read_text())
        harmless = re.compile("|".join(f"(?:{one['line']})" for one in listed["harmless"]))
        explained = ((one["module"], one["operator"], one["line"]) for one in listed["survivor"])
        return cls(harmless, frozenset(explained))

    def counts(self, mutant: Mutant) -> bool:
        return mutant.killed or not self.harmless.search(mutant.line)

    def explains(self, mutant: Mutant) -> bool:
        return (mutant.module, mutant.operator, mutant.line) in self.explained


def main() -> int:
    modules = [module for module in TESTS if not sys.argv[1:] or module in sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        copy_tree(Path(directory))
        found = {module: run(module, Path(directory)) for module in modules}
    known = Known.read()
    table = Table("module", "mutants", "harmless", "killed")
    everything = []
    for module, mutants in found.items():
        counting = [mutant for mutant in mutants if known.counts(mutant)]
        killed = sum(mutant.killed for mutant in counting)
        table.add_row(module, str(len(mutants)), str(len(mutants) - len(counting)), str(killed))
        everything += counting
    console = Console(soft_wrap=True)
    console.print(table)
    alive = [mutant for mutant in everything if not mutant.killed]
    unexplained = [mutant for mutant in alive if not known.explains(mutant)]
    for mutant in unexplained:
        console.print(f"{mutant.module}: {mutant.operator}\n  - {mutant.line}\n  + {mutant.changed}", markup=False)
    share = 1 - len(alive) / max(1, len(everything))
    console.print(f"{share:.1%} of {len(everything)} killed, {len(unexplained)} live unexplained")
    return 0 if everything and share >= LEAST_KILLED and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
