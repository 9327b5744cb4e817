"""Logs are lines: many in one write, no message that passes for two, for people as text and for machines as JSON."""

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from local.topology import ROOT

FIRST = "logs.Line('Order #1 Processed', 1, 'a-request')"
SECOND = "logs.Line('Order #2 Processed', 2, None)"


def started(script: str, form: str, stdout: int) -> "subprocess.Popen[str]":
    configured = f"logs.configure('a process', form={form!r})\nlog = logging.getLogger('somebody')"
    code = f"import logging\nfrom chassis import request_ids\nfrom chassis.process import logs\n{configured}\n{script}"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "libs")},
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
    )


def printed(script: str, form: str = "text") -> list[str]:
    """The lines of a process that logs."""
    said, _ = started(script, form, subprocess.PIPE).communicate(timeout=30)
    return said.removesuffix("\n").split("\n") if said else []


def objects(script: str, form: str = "json") -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed(script, form)]


def test_each_of_many_messages_is_a_line_with_its_own_beginning() -> None:
    lines = [line.partition(" INFO ")[2] for line in printed(f"logs.tell_each(log, logging.INFO, [{FIRST}, {SECOND}])")]

    assert [line.split("] ")[1] for line in lines] == ["Order #1 Processed", "Order #2 Processed"]
    assert all(line.strip().startswith("a process[") for line in lines)


@pytest.mark.parametrize("form", ["text", "json"])
def test_of_no_messages_nothing_is_written(form: str) -> None:
    assert printed("logs.tell_each(log, logging.INFO, [])", form) == []


@pytest.mark.parametrize("end", ["\\n", "\\r", "\\x85", "\\u2028", "\\x1b[2K"])
def test_a_line_end_in_a_message_begins_no_line_of_its_own(end: str) -> None:
    [line] = printed(f"log.info('%s', 'paper{end}Order #1 Processed')")

    assert line.endswith(f"paper{end}Order #1 Processed")
    assert line.isprintable()


def test_for_machines_each_line_is_an_object() -> None:
    first, second, other = objects(
        f"logs.tell_each(log, logging.INFO, [{FIRST}, {SECOND}])\n"
        f"log.warning('%s', 'two\\nlines \\ud800', extra=logs.about(3, 'b'))"
    )

    said_by = {"process": "a process", "pid": first["pid"], "logger": "somebody"}
    about_one = {"message": "Order #1 Processed", "order_id": 1, "request_id": "a-request"}
    assert first == {"time": first["time"], "level": "INFO", **said_by, **about_one}
    assert second == {"time": first["time"], "level": "INFO", **said_by, "message": "Order #2 Processed", "order_id": 2}
    assert first["time"].endswith("Z")
    told = {"message": "two\nlines \ud800", "order_id": 3, "request_id": "b"}
    assert other == {"time": other["time"], "level": "WARNING", **said_by, **told}


def test_a_line_names_the_request_that_is_being_served() -> None:
    named, explicit = objects(
        "request_ids.enter([(b'x-request-id', b'r-1')])\n"
        "log.warning('one')\nlog.warning('other', extra=logs.about(3, 'r-2'))"
    )

    assert (named["request_id"], explicit["request_id"]) == ("r-1", "r-2")


def test_an_exception_is_one_member_also_the_one_that_ends_the_process() -> None:
    logged, last = objects("try:\n    1 / 0\nexcept Exception:\n    log.exception('oh')\nraise LookupError('the end')")

    assert logged["message"] == "oh"
    assert logged["exception"].endswith("ZeroDivisionError: division by zero")
    assert (last["level"], last["exception"].splitlines()[-1]) == ("CRITICAL", "LookupError: the end")


def test_only_on_a_terminal_it_is_for_people() -> None:
    ours, theirs = pty.openpty()
    with started("log.info('seen')", "auto", theirs) as process:
        os.close(theirs)
        on_the_terminal = os.read(ours, 1000).decode()
    os.close(ours)

    assert process.returncode == 0
    assert on_the_terminal.rstrip().endswith("] seen")
    assert [line["message"] for line in objects("log.info('seen')", "auto")] == ["seen"]


def test_a_form_that_is_none_is_refused() -> None:
    assert "LOG_FORMAT is one of auto, json, text" in printed("", "yaml")[-1]
