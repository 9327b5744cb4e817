"""A crash point kills its own process, at the hit it was told, and only where something was at stake."""

import ast
import signal
import subprocess
import sys

from architecture.source import called, our_sources
from faults.crash_points import CATALOG_CALL, CONSUMER, POINTS, RELAY
from local.topology import ROOT

# Transactions that change nothing, or that only a person at a console asks for: dying there endangers nothing.
READS = {
    *("read", "list_", "movements", "prove", "held", "holders", "_next", "_known", "_read", "timeline"),
    *(
        "owned",
        "still_owned",
        "remembered",
        "database_seconds",
        "overdue",
        "held_keys",
        "_with_recent_ids",
        "_recent_ids",
        "page",
        "require_alive",
    ),
}
BY_HAND = {"discard"}
TIDYING = {
    "forget_dead",
    "begin_to_make_due",
}  # what a crash leaves undone the next turn does, or another replica
# Writes what `decide_pending` writes, for who lost a race; no storm can bring that about for certain.
SECOND_WAYS = {"decide"}


def _dies(setting: str, script: str) -> int:
    code = f"from chassis.process.crash_points import commit_point, crash_point\n{script}"
    environment = {"PYTHONPATH": str(ROOT / "libs"), "CRASH_POINT": setting}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


def test_a_process_kills_itself_at_its_crash_point() -> None:
    assert _dies("here", "crash_point('elsewhere'); crash_point('here')") == -signal.SIGKILL


def test_a_crash_point_waits_for_the_hit_it_was_told() -> None:
    assert _dies("here:2", "crash_point('here')") == 0
    assert _dies("here:2", "crash_point('here'); crash_point('here')") == -signal.SIGKILL


def test_an_idle_turn_is_no_crash_point() -> None:
    assert _dies("here", "commit_point('here', []); commit_point('here', 0)") == 0
    assert _dies("here", "commit_point('here', [1])") == -signal.SIGKILL


def test_every_transaction_that_changes_something_is_crashed_before_and_after() -> None:
    armed = {point.name for points in POINTS.values() for point in points}

    missing = {
        f"{name}.{when}_commit"
        for name in _transactions() - READS - BY_HAND - TIDYING - SECOND_WAYS
        for when in ("before", "after")
        if f"{name}.{when}_commit" not in armed
    }

    assert missing == set()


def test_every_crash_point_named_in_place_is_armed() -> None:
    named = {call.args[0].value for call in _calls("crash_point") if isinstance(call.args[0], ast.Constant)}

    assert named == {point.name for point in (*RELAY, *CONSUMER, *CATALOG_CALL) if "commit" not in point.name}


def _transactions() -> set[str]:
    """What is given to `database.run`, by its own name."""
    given = [call.args[0] for call in _calls("run") if call.args]
    named = {ast.unparse(node).rpartition(".")[2] for node in given if isinstance(node, ast.Attribute | ast.Name)}
    return named - {"app", "sockets"}  # what uvicorn runs


def _calls(function: str) -> list[ast.Call]:
    calls = [call for source in our_sources() for call in source.calls()]
    return [call for call in calls if called(call).rpartition(".")[2] == function]
