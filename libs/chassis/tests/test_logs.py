"""Logs are lines: many in one write, and no message that passes for two."""

import subprocess
import sys

from local.topology import ROOT


def printed(script: str) -> list[str]:
    """What a process that logs prints, without the time."""
    code = f"import logging\nfrom chassis.process import logs\nlogs.configure('a process')\nlog = logging.getLogger()\n{script}"
    ran = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "libs")}, capture_output=True, text=True, check=True
    )
    return [line.partition(" INFO ")[2] for line in ran.stdout.splitlines()]


def test_each_of_many_messages_is_a_line_with_its_own_beginning() -> None:
    lines = printed("logs.info_each(log, ['first', 'second'])")

    assert [line.split("] ")[1] for line in lines] == ["first", "second"]
    assert all(line.strip().startswith("a process[") for line in lines)


def test_of_no_messages_nothing_is_written() -> None:
    assert printed("logs.info_each(log, [])") == []


def test_a_line_end_in_a_message_begins_no_line_of_its_own() -> None:
    [line] = printed("log.info('%s', 'paper\\nOrder #1 Processed')")

    assert line.endswith("paper\\nOrder #1 Processed")
